package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	// patience bounds the wait for something that must happen. A test that passes never waits that long.
	patience = 20 * time.Second
	// pause is how long a client has for something that must not happen.
	pause = 30 * time.Millisecond
)

// need skips a test that lacks a prerequisite; in CI it fails the test.
func need(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// TestScenariosInNode proves that the client in JavaScript plays each scenario.
func TestScenariosInNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	need(t, "the client in JavaScript is tested in Node: apt-get install nodejs", err)
	d := newJSDevice(t)
	// Node 22 has WebSocket; 20 has it behind the flag, which 22 knows as well.
	command := exec.Command(node, "--experimental-websocket", "--no-warnings", "testdata/driver.mjs", d.address)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	d.play(t, "node")
}

// play plays the scenarios that are for a kind of device.
func (d *jsDevice) play(t *testing.T, kind string) {
	d.await()
	for _, s := range scenarios(t) {
		if s.Only != "" && s.Only != kind {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			st := newStage(t)
			st.device, st.patience = d, patience
			service := httptest.NewServer(st)
			d.t, d.url = t, ws(service.URL)
			st.play(s)
			d.do(map[string]any{"over": true})
			for len(d.happened) > 0 {
				<-d.happened // if the scenario failed
			}
			for _, c := range st.sockets {
				c.conn.CloseNow()
			}
			service.CloseClientConnections() // some have no answer
			service.Close()
		})
	}
}

func ws(address string) string { return strings.Replace(address, "http:", "ws:", 1) }

// jsDevice is an application that uses the client in JavaScript: testdata/driver.mjs.
type jsDevice struct {
	t        *testing.T
	address  string // where the driver is to connect
	url      string // of the scenario's service
	conn     *websocket.Conn
	dialed   chan *websocket.Conn
	happened chan json.RawMessage
	done     chan string
	cursor   string
}

var _ device = (*jsDevice)(nil)

func newJSDevice(t *testing.T) *jsDevice {
	d := &jsDevice{t: t, dialed: make(chan *websocket.Conn, 1), happened: make(chan json.RawMessage, 1000), done: make(chan string, 1)}
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		d.dialed <- conn
		d.listen(conn)
	}))
	t.Cleanup(control.Close)
	d.address = ws(control.URL)
	return d
}

func (d *jsDevice) listen(conn *websocket.Conn) {
	for {
		var said struct {
			Event json.RawMessage
			Done  *string
		}
		_, data, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		if err := json.Unmarshal(data, &said); err != nil {
			d.t.Errorf("the driver said %s: %v", data, err)
		}
		if said.Done != nil {
			d.done <- *said.Done
		} else {
			d.happened <- said.Event
		}
	}
}

// await waits for the driver.
func (d *jsDevice) await() {
	d.t.Helper()
	select {
	case d.conn = <-d.dialed:
	case <-time.After(patience):
		d.t.Fatal("the driver did not start")
	}
}

func (d *jsDevice) events() <-chan json.RawMessage { return d.happened }
func (d *jsDevice) stored() string                 { return d.cursor }

func (d *jsDevice) settle() {
	time.Sleep(pause)
	d.do(map[string]any{"stored": true})
}

func (d *jsDevice) do(command map[string]any) {
	d.t.Helper()
	command["url"] = d.url
	text, err := json.Marshal(command)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.conn.Write(context.Background(), websocket.MessageText, text); err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	select {
	case d.cursor = <-d.done:
	case <-time.After(patience):
		d.t.Fatalf("%s: the driver does not answer", text)
	}
}
