package differential_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// version is the emulator's version that differences_test.go speaks of.
const version = "1.2.1"

// tools is where npm puts the emulator, seen from the folder of this test.
var tools = filepath.Join("..", "..", "..", ".heliograph", "tools")

// npmPackage is the emulator's package for this machine.
func npmPackage() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return "@dynoxide/" + runtime.GOOS + "-" + arch
}

// find gives the emulator's path. Without it nothing is proved, so CI fails then; elsewhere the test says
// how to get it and steps aside.
func find(t *testing.T) string {
	t.Helper()
	cached := filepath.Join(tools, "node_modules", filepath.FromSlash(npmPackage()), "dynoxide")
	for _, candidate := range []string{os.Getenv("DYNOXIDE"), "dynoxide", cached} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("the other DynamoDB is not on this machine; get it, in the repository's root, with\n\t"+
		"npm install --prefix .heliograph/tools --no-save %s@%s\nor name its program in the variable DYNOXIDE", npmPackage(), version)
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// startEmulator runs the emulator until the end of the test and gives a client of it.
func startEmulator(t *testing.T) *api.Client {
	t.Helper()
	path := find(t)
	// Between finding a free port and its use by the emulator, another program may take it.
	var err error
	for range 3 {
		var c *api.Client
		if c, err = tryEmulator(t, path); err == nil {
			return c
		}
	}
	t.Fatalf("start %s: %v", path, err)
	return nil
}

func tryEmulator(t *testing.T, path string) (*api.Client, error) {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	command := exec.Command(path, "serve", "--host", host, "--port", port)
	var output bytes.Buffer // read only once the process has ended
	command.Stdout, command.Stderr = &output, &output
	dieTogether(command)
	if err := command.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill() // an error says that it has ended
		<-ended
		if t.Failed() {
			t.Logf("%s %s says: %s", path, version, output.String())
		}
	})
	c := client("http://" + address)
	return c, answering(c, ended)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// answering waits until the emulator answers, for ten seconds at most.
func answering(c *api.Client, ended chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		_, err := c.ListTables(ctx, &api.ListTablesInput{})
		if err == nil {
			return nil
		}
		select {
		case exit := <-ended:
			ended <- exit // for the one who waits at the end
			return cmp.Or(exit, fmt.Errorf("it ended at once"))
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// client is the SDK's own, without retries: each answer is to be seen.
func client(url string) *api.Client {
	return api.New(api.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{},
		HTTPClient:  whole{&http.Client{Transport: &http.Transport{}}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

// whole sends bodies of its own. The SDK closes a request's body as soon as the answer's head is there,
// which races with the end of net/http's write loop and cuts off a large answer now and then. Others don't
// see that, since the SDK tries again; but a write that is tried again is another write.
type whole struct{ *http.Client }

func (w whole) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.Client.Do(r)
}
