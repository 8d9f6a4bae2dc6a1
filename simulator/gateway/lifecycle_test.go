package gateway

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"pgregory.net/rapid"
)

// TestDisconnectHasCodeAndReason proves that $disconnect reports how each connection ended.
func TestDisconnectHasCodeAndReason(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limits Limits
		end    func(t *testing.T, s *Stage, c *websocket.Conn)
		code   float64
		reason string
		client websocket.StatusCode // the code that the client gets when the gateway ends the connection
	}{
		"client, normally":     {end: func(_ *testing.T, _ *Stage, c *websocket.Conn) { _ = c.Close(1000, "bye") }, code: 1000, reason: "bye"},
		"client, going away":   {end: func(_ *testing.T, _ *Stage, c *websocket.Conn) { _ = c.Close(1001, "") }, code: 1001},
		"client, own code":     {end: func(_ *testing.T, _ *Stage, c *websocket.Conn) { _ = c.Close(4001, "why") }, code: 4001, reason: "why"},
		"client, no code":      {end: func(_ *testing.T, _ *Stage, c *websocket.Conn) { _ = c.Close(1005, "") }, code: 1005, reason: "Client-side close frame status not set"},
		"client, without word": {end: func(_ *testing.T, _ *Stage, c *websocket.Conn) { _ = c.CloseNow() }, code: 1006, reason: "Connection Closed Abnormally"},
		"deleted": {end: func(t *testing.T, s *Stage, _ *websocket.Conn) {
			if err := remove(t, management(t, s), string(s.api.g.Connections()[0].ID)); err != nil {
				t.Error(err)
			}
		}, code: 1000, reason: "Connection Closed Normally", client: 1000},
		"idle": {limits: Limits{Idle: 50 * time.Millisecond}, code: 1001, reason: "Going away", client: 1001},
		"old":  {limits: Limits{Life: 50 * time.Millisecond}, code: 1001, reason: "Going away", client: 1001},
		"binary": {end: func(t *testing.T, _ *Stage, c *websocket.Conn) {
			_ = c.Write(t.Context(), websocket.MessageBinary, []byte("x"))
		}, code: 1003, client: 1003},
		"no UTF-8": {end: func(t *testing.T, _ *Stage, c *websocket.Conn) {
			_ = c.Write(t.Context(), websocket.MessageText, []byte{0xff})
		}, code: 1007, client: 1007},
		"large message": {end: func(t *testing.T, _ *Stage, c *websocket.Conn) {
			w, _ := c.Writer(t.Context(), websocket.MessageText)
			for range 5 { // one frame each
				_, _ = w.Write(bytes.Repeat([]byte("x"), 32<<10))
			}
			_ = w.Close()
		}, code: 1009, client: 1009},
		"large frame": {end: func(t *testing.T, _ *Stage, c *websocket.Conn) {
			_ = c.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte("x"), 32<<10+1))
		}, code: 1009, client: 1009},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			g := newGateway(t, f, Options{Limits: tt.limits})
			s := socketStage(t, g)
			c := dial(t, s, nil)
			ended := make(chan websocket.StatusCode, 1)
			if tt.client != 0 { // without a reader the close handshake would not finish
				go func() {
					_, _, err := c.Read(t.Context())
					ended <- websocket.CloseStatus(err)
				}()
			}
			if tt.end != nil {
				tt.end(t, s, c)
			}
			context := f.event(t, "disconnect")["requestContext"].(map[string]any)
			if context["disconnectStatusCode"] != tt.code || context["disconnectReason"] != tt.reason {
				t.Errorf("the end is %v %q, want %v %q", context["disconnectStatusCode"], context["disconnectReason"], tt.code, tt.reason)
			}
			if tt.client != 0 {
				if got := <-ended; got != tt.client {
					t.Errorf("the client was told %d, want %d", got, tt.client)
				}
			}
			if left := g.Connections(); len(left) != 0 {
				t.Errorf("the connection is still open: %+v", left)
			}
		})
	}
}

// TestActivityKeepsAConnectionOpen proves that neither a client that sends nor one that only receives counts as idle.
func TestActivityKeepsAConnectionOpen(t *testing.T) {
	t.Parallel()
	const idle = 200 * time.Millisecond
	for name, posted := range map[string]bool{"messages from the client": false, "messages to the client": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			g := newGateway(t, f, Options{Limits: Limits{Idle: idle}})
			s := socketStage(t, g, func(a *API) { addRoute(t, a, "default", RouteConfig{Key: "$default"}) })
			api, c := management(t, s), dial(t, s, nil)
			id := string(g.Connections()[0].ID)
			for began := time.Now(); time.Since(began) < 3*idle; {
				if posted {
					if err := post(t, api, id, "x"); err != nil {
						t.Fatal(err)
					}
					read(t, c)
				} else {
					write(t, c, "x") // gets no answer
					f.event(t, "default")
				}
				<-time.After(idle / 4) // the passing of time is what the test is about
			}
			if code, _ := closeOf(t, c); code != 1001 {
				t.Errorf("the idle connection ended with %d", code)
			}
		})
	}
}

func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	s := socketStage(t, newGateway(t, newFunctions(), Options{}))
	// The largest message allowed, in the largest frames.
	c := rawDial(t, s)
	defer func() { _ = c.Close() }()
	part := bytes.Repeat([]byte(" "), 32<<10)
	var message []byte
	message = append(message, frame(1, false, part)...)
	message = append(message, frame(0, false, part)...)
	message = append(message, frame(0, false, part)...)
	message = append(message, frame(0, true, part)...)
	message = append(message, frame(1, true, []byte(`{"action":"ping"}`))...)
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	answers := make([]byte, 2<<10)
	got := ""
	for !strings.Contains(got, "pong") {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(answers)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(answers[:n])
	}
	if !strings.Contains(got, "Forbidden") {
		t.Errorf("the large message was answered with %q", got)
	}
}

// TestTheCloseFrameReachesAClientThatGoesOnWriting proves that a client learns the reason even if it is still writing
// when the gateway closes the connection.
func TestTheCloseFrameReachesAClientThatGoesOnWriting(t *testing.T) {
	t.Parallel()
	s := socketStage(t, newGateway(t, newFunctions(), Options{}))
	c := rawDial(t, s)
	defer func() { _ = c.Close() }()
	part := frame(0, false, bytes.Repeat([]byte("x"), 32<<10))
	_, err := c.Write(frame(1, false, nil))
	for i := 0; i < 100 && err == nil; i++ {
		_, err = c.Write(part)
	}
	if err != nil { // many clients would give up here without reading the reason
		t.Errorf("the connection was reset while the client was writing: %v", err)
	}
	if got := closeCode(t, c); got != 1009 {
		t.Errorf("the close code is %d", got)
	}
}

// TestTheClaimOfAFrameIsEnough proves that a frame that claims more than is allowed ends the connection at its header: the
// payload may never come.
func TestTheClaimOfAFrameIsEnough(t *testing.T) {
	t.Parallel()
	for _, claim := range []uint64{32<<10 + 1, 128<<10 + 1, 1 << 31, 1 << 62, 1<<63 - 1} {
		f := newFunctions()
		s := socketStage(t, newGateway(t, f, Options{}))
		c := rawDial(t, s)
		defer func() { _ = c.Close() }()
		began := time.Now()
		if _, err := c.Write(append(binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, claim), 0, 0, 0, 0, 'x')); err != nil {
			t.Fatal(err)
		}
		if got := closeCode(t, c); got != 1009 || time.Since(began) > 4*time.Second {
			t.Errorf("a claim of %d bytes: the close code is %d, after %v", claim, got, time.Since(began))
		}
	}
}

func TestFaultsOfDisconnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		delay time.Duration
		lost  bool
	}{"late": {delay: 50 * time.Millisecond}, "lost": {lost: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			asked := make(chan Connection, 1)
			g := newGateway(t, f, Options{Disconnect: func(c Connection) (time.Duration, bool) {
				asked <- c
				return tt.delay, tt.lost
			}})
			s := socketStage(t, g)
			c := dial(t, s, nil)
			id := g.Connections()[0].ID
			began := time.Now()
			_ = c.Close(1000, "")
			if got := <-asked; got.ID != id || got.Stage != "local" {
				t.Errorf("the hook was asked about %+v", got)
			}
			if tt.lost {
				if err := g.Close(); err != nil {
					t.Fatal(err)
				}
				if n := f.invoked("disconnect"); n != 0 {
					t.Errorf("$disconnect came %d times", n)
				}
				return
			}
			f.event(t, "disconnect")
			if took := time.Since(began); took < tt.delay {
				t.Errorf("$disconnect came after %v", took)
			}
		})
	}
}

func TestCloseEndsConnectionsWithoutDisconnect(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	s := socketStage(t, g)
	for range 5 {
		dial(t, s, nil)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if n := f.invoked("disconnect"); n != 0 {
		t.Errorf("$disconnect came %d times", n)
	}
	if _, _, err := websocket.Dial(t.Context(), s.InvokeURL(), nil); err == nil {
		t.Error("the address still answers")
	}
}

func TestPingIsAnsweredByPong(t *testing.T) {
	t.Parallel()
	s := socketStage(t, newGateway(t, newFunctions(), Options{}))
	c := dial(t, s, nil)
	ctx := c.CloseRead(t.Context())
	if err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// TestFrameGuardSeesEachFrame proves that the guard finds every oversized frame, and no other, wherever the bytes are
// split.
func TestFrameGuardSeesEachFrame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 125, 126, 127, 1000, 1001, 65535, 65536}), 1, 6).Draw(t, "sizes")
		var stream []byte
		for _, n := range sizes {
			stream = append(stream, frame(1, true, make([]byte, n))...)
		}
		g := &frameGuard{limit: 1000, tooLarge: func() {}}
		for len(stream) > 0 {
			n := rapid.IntRange(1, min(len(stream), 3000)).Draw(t, "cut")
			g.scan(stream[:n])
			stream = stream[n:]
		}
		if want := slices.Max(sizes) > 1000; g.oversize.Load() != want {
			t.Fatalf("oversize is %v for frames of %v", g.oversize.Load(), sizes)
		}
		if g.have != 0 || g.skip != 0 {
			t.Fatalf("the guard is not at the end of a frame: %d, %d", g.have, g.skip)
		}
	})
}
