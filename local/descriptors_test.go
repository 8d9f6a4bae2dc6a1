//go:build unix

package local

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	fewDescriptors   = 300
	attempts         = 12 // calls at once: more than there are warm environments
	descriptorSecret = "a secret of forty bytes, for one test only"
)

// TestDescriptorsRunOut proves that a stack whose file descriptors were all taken by sockets serves again within seconds of
// their end: HTTP, connects, and functions that had to be started meanwhile.
func TestDescriptorsRunOut(t *testing.T) {
	if file := os.Getenv("LOCAL_WITH_FEW_DESCRIPTORS"); file != "" {
		serveWithFewDescriptors(t, file)
		return
	}
	e := startChild(t)
	const patience = 15 * time.Second
	if !served(t, e, patience) {
		t.Fatal("the stack does not serve at first")
	}
	taken, failed := takeDescriptors(t, e)
	if failed == 0 {
		t.Error("the descriptors never ran out")
	}
	for _, socket := range taken {
		_ = socket.Close()
	}
	began := time.Now()
	if !served(t, e, patience) {
		t.Errorf("the stack does not serve %v after the sockets were closed", patience)
	}
	t.Logf("%d of %d calls failed meanwhile; served again after %v", failed, attempts, time.Since(began).Round(time.Millisecond))
}

// takeDescriptors opens sockets to all three ports until calls fail, and returns how many of the last ones did.
func takeDescriptors(t *testing.T, e Endpoints) (taken []net.Conn, failed int) {
	t.Helper()
	for len(taken) < 2*fewDescriptors && failed < attempts/2 {
		for range 30 {
			for _, address := range []string{e.HTTPURL, e.WebSocketURL, e.AWSEndpointURL} {
				at, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				if socket, err := net.DialTimeout("tcp", at.Host, time.Second); err == nil {
					taken = append(taken, socket)
				}
			}
		}
		failed = failures(e)
	}
	return taken, failed
}

// serveWithFewDescriptors runs a stack until stdin ends.
func serveWithFewDescriptors(t *testing.T, file string) {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: fewDescriptors, Max: fewDescriptors}); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Root: ".", EndpointsFile: file, Progress: os.Stderr, Config: map[string]string{"jwtSecret": descriptorSecret}})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// startChild starts this test in a process of its own, and returns the addresses of its stack once it serves.
func startChild(t *testing.T) Endpoints {
	t.Helper()
	file := filepath.Join(t.TempDir(), "local.json")
	child := exec.Command(os.Args[0], "-test.run=^TestDescriptorsRunOut$", "-test.timeout=5m")
	child.Env = append(os.Environ(), "LOCAL_WITH_FEW_DESCRIPTORS="+file)
	child.Stderr = t.Output()
	stop, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	says, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stop.Close()
		text, _ := io.ReadAll(says)
		if err := child.Wait(); err != nil {
			t.Errorf("the stack: %v\n%s", err, text)
		}
	})
	if _, err := io.ReadFull(says, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	e, err := ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// served reports whether, within a time, a query is answered 200 and a connection opens.
func served(t *testing.T, e Endpoints, within time.Duration) bool {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		err := query(e)
		if err == nil {
			err = open(e)
		}
		if err == nil {
			return true
		}
		if time.Now().After(deadline) {
			t.Log(err)
			return false
		}
	}
}

// failures counts how many of some queries and connects at once fail.
func failures(e Endpoints) (failed int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range attempts {
		all.Go(func() {
			err := query(e)
			if i%2 == 0 {
				err = open(e)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
			}
		})
	}
	all.Wait()
	return failed
}

func query(e Endpoints) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.HTTPURL+"/user/online?limit=1", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+descriptorToken())
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("a query is answered %s", response.Status)
	}
	return nil
}

func open(e Endpoints) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, e.WebSocketURL+"?Authorization="+descriptorToken(), nil)
	if err != nil {
		return err
	}
	return socket.Close(websocket.StatusNormalClosure, "")
}

// descriptorToken is a token of the user "u".
func descriptorToken() string {
	text := base64.RawURLEncoding.EncodeToString
	signed := text([]byte(`{"alg":"HS256"}`)) + "." + text(fmt.Appendf(nil, `{"userId":"u","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(descriptorSecret))
	_, _ = mac.Write([]byte(signed)) // a hash never fails
	return signed + "." + text(mac.Sum(nil))
}
