package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Endpoints says where a running stack is: the program's outputs, and what only the simulator has. It is
// the content of .heliograph/local.json, and of a file that e2e tests are pointed at.
type Endpoints struct {
	// WebSocketURL is where clients connect: ws://127.0.0.1:4701/local.
	WebSocketURL string `json:"webSocketUrl"`
	// HTTPURL is the base of the HTTP API, without a slash at its end.
	HTTPURL string `json:"httpUrl"`
	// AWSEndpointURL is where the AWS APIs are served; empty for a stack on AWS, where each service has
	// its own.
	AWSEndpointURL string `json:"awsEndpointUrl,omitempty"`
	// SendQueueURL is the queue that messages are put on.
	SendQueueURL string `json:"sendQueueUrl"`
	// DeadLetterQueueURL is the queue of the messages that could not be delivered.
	DeadLetterQueueURL string `json:"deadLetterQueueUrl"`
	// EventTopicARN is the SNS topic of the presence events.
	EventTopicARN string `json:"eventTopicArn"`
	// TableName is the DynamoDB table.
	TableName string `json:"tableName"`
	// ConsoleURL is where the stack can be watched: the console here, the dashboard on AWS.
	ConsoleURL string `json:"consoleUrl,omitempty"`
	// Region is the AWS Region.
	Region string `json:"region"`
	// ParameterPrefix is what the names of the SSM parameters start with.
	ParameterPrefix string `json:"parameterPrefix"`
	// PID is the simulator's process; 0 for a stack on AWS.
	PID int `json:"pid,omitempty"`
}

// ReadEndpoints reads an endpoints file. A missing file is fs.ErrNotExist, one that lacks an address an
// error that names it.
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

// check tells the first address that is missing and without which nothing works.
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

// write puts the file in place at once, so that nobody reads half of it.
func (e Endpoints) write(path string) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write endpoints: %w", err)
	}
	return nil
}

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
