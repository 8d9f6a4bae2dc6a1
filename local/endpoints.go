package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"heliograph"
	"heliograph/simulator/private"
	"heliograph/simulator/process"
)

// Endpoints locates a running stack: the program's outputs, and the addresses that only a local stack has. It is the
// content of .heliograph/local.json, and of the file that the end-to-end tests are pointed at.
type Endpoints struct {
	heliograph.Outputs
	// AWSEndpointURL is where the AWS APIs are served; empty for a stack on AWS, where each service has its own.
	AWSEndpointURL string `json:"awsEndpointUrl,omitempty"`
	// ConsoleURL is the local stack's console; empty for a stack on AWS, which has a dashboard.
	ConsoleURL string `json:"consoleUrl,omitempty"`
	// AccessKey is the access key id of a local stack, new for each run and known to its user only; empty for a stack on
	// AWS.
	AccessKey string `json:"accessKey,omitempty"`
	// PID is the process of a local stack; 0 for a stack on AWS.
	PID int `json:"pid,omitempty"`
}

// ReadEndpoints reads an endpoints file. The error wraps fs.ErrNotExist if there is no file; otherwise it names the
// first address missing from the file.
func ReadEndpoints(path string) (Endpoints, error) {
	var e Endpoints
	data, err := os.ReadFile(path)
	if err != nil {
		return e, fmt.Errorf("read endpoints: %w", err)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("read endpoints from %s: %w", path, err)
	}
	if err := e.check(); err != nil {
		return e, fmt.Errorf("read endpoints from %s: %w", path, err)
	}
	return e, nil
}

// ErrNotRunning reports that the endpoints file is missing, or was left behind by a stack that no longer runs.
var ErrNotRunning = errors.New("the local stack is not running")

// Find reads a stack's endpoints file and, for a local stack, makes sure that the stack still runs: a killed one leaves
// its file behind. The error wraps ErrNotRunning if it does not, and is returned at once.
func Find(ctx context.Context, path string) (Endpoints, error) {
	e, err := ReadEndpoints(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e, fmt.Errorf("%w (%s does not exist)", ErrNotRunning, path)
	case err != nil || e.AWSEndpointURL == "":
		return e, err
	case e.PID != 0 && !process.Alive(e.PID):
		return e, fmt.Errorf("%w (process %d, which left %s behind, has ended)", ErrNotRunning, e.PID, path)
	}
	at, err := url.Parse(e.AWSEndpointURL)
	if err != nil {
		return e, fmt.Errorf("read endpoints from %s: %w", path, err)
	}
	socket, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return e, fmt.Errorf("%w (nothing answers at %s, the address in %s)", ErrNotRunning, at.Host, path)
	}
	return e, socket.Close()
}

// check names the first missing address among those that everything depends on.
func (e Endpoints) check() error {
	for _, needed := range []struct{ name, value string }{
		{"webSocketUrl", e.WebSocketURL},
		{"httpUrl", e.HTTPURL},
		{"sendQueueUrl", e.SendQueueURL},
		{"region", e.Region},
		{"parameterPrefix", e.ParameterPrefix},
	} {
		if needed.value == "" {
			return fmt.Errorf("%s is missing", needed.name)
		}
	}
	return nil
}

// write replaces the whole file in one step, so that no reader sees half of it. Only this user can read it. acquire has
// made its folder.
func (e Endpoints) write(path string) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	if err := private.WriteFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	return nil
}

// removeFile removes a file that may already be gone.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
