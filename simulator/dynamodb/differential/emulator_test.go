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

// version is the emulator's version that differences_test.go describes.
const version = "1.2.1"

// modules is the folder where npm puts the emulator, relative to this test's.
var modules = filepath.Join("..", "..", "..", ".ci", "node_modules")

// npmPackage returns the name of the emulator's package for this machine.
func npmPackage() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return "@dynoxide/" + runtime.GOOS + "-" + arch
}

// find returns the emulator's path. Without the emulator nothing is proved, so CI fails; elsewhere the test explains
// how to get it and is skipped.
func find(t *testing.T) string {
	t.Helper()
	cached := filepath.Join(modules, filepath.FromSlash(npmPackage()), "dynoxide")
	for _, candidate := range []string{os.Getenv("DYNOXIDE"), "dynoxide", cached} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("the other DynamoDB is not on this machine; get it, in the repository's root, with\n\t"+
		"make tools\nor name the program of %s %s in the variable DYNOXIDE", npmPackage(), version)
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// startEmulator runs the emulator until the end of the test and returns a client of it.
func startEmulator(t *testing.T) *api.Client {
	t.Helper()
	path := find(t)
	// Another program may take the free port before the emulator does.
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

// tryEmulator starts the emulator once. Its output appears only if the test fails.
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
		_ = command.Process.Kill() // an error means that it has ended already
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

// answering waits until the emulator answers, for at most ten seconds.
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
			ended <- exit // for the clean-up, which waits for it
			return cmp.Or(exit, fmt.Errorf("it ended at once"))
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// client returns an SDK client that never retries, so that the tests see each answer.
func client(url string) *api.Client {
	return api.New(api.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{},
		HTTPClient:  whole{&http.Client{Transport: &http.Transport{}}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

// whole sends bodies of its own making. The SDK closes a request's body as soon as the head of the answer arrives; that
// races with the end of net/http's write loop, and occasionally cuts off a large answer. Other programs don't notice,
// because the SDK retries; here, a retried write would be a second write.
type whole struct{ *http.Client }

func (w whole) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.Client.Do(r)
}
