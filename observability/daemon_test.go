package observability

import (
	"bytes"
	"encoding/json"
	"net"
	"testing"
	"time"
)

// segment is a document as the X-Ray daemon gets it.
type segment struct {
	Name        string         `json:"name"`
	ID          string         `json:"id"`
	TraceID     string         `json:"trace_id"`
	ParentID    string         `json:"parent_id"`
	Type        string         `json:"type"`
	Namespace   string         `json:"namespace"`
	Start       float64        `json:"start_time"`
	End         float64        `json:"end_time"`
	Fault       bool           `json:"fault"`
	Error       bool           `json:"error"`
	Throttle    bool           `json:"throttle"`
	Annotations map[string]any `json:"annotations"`
	AWS         map[string]any `json:"aws"`
	HTTP        struct {
		Response struct{ Status int }
	} `json:"http"`
	InProgress  bool                      `json:"in_progress"`
	Metadata    map[string]map[string]any `json:"metadata"`
	Cause       cause                     `json:"cause"`
	Subsegments []segment                 `json:"subsegments"`
}

// cause is a segment's exception, or the id of one that another segment has.
type cause struct {
	Ref        string
	Exceptions []struct {
		ID, Type, Message string
		Stack             []struct{ Label string }
	}
}

func (c *cause) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &c.Ref)
	}
	type plain cause
	return json.Unmarshal(b, (*plain)(c))
}

// message is the text of the segment's error, with its type.
func (s segment) message() string {
	if len(s.Cause.Exceptions) == 0 {
		return ""
	}
	return s.Cause.Exceptions[0].Type + ": " + s.Cause.Exceptions[0].Message
}

// daemon takes the place of the X-Ray daemon.
type daemon struct{ conn *net.UDPConn }

func newDaemon(t testing.TB) *daemon {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &daemon{conn}
}

func (d *daemon) address() *net.UDPAddr { return d.conn.LocalAddr().(*net.UDPAddr) }

// function is New with this daemon.
func (d *daemon) function(t testing.TB, s Settings, out *bytes.Buffer) *Function {
	t.Helper()
	f := New("send", s, out)
	f.tracer = tracerTo(d.address())
	return f
}

const endMark = `{"name":"end of the test"}`

// segments are all documents that came until now. The mark that it sends itself comes behind them, so
// that it need not wait for what may not come.
func (d *daemon) segments(t testing.TB) []segment {
	t.Helper()
	mark, err := net.DialUDP("udp", nil, d.address())
	if err != nil {
		t.Fatal(err)
	}
	defer mark.Close()
	if _, err := mark.Write([]byte("{}\n" + endMark)); err != nil {
		t.Fatal(err)
	}
	_ = d.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var all []segment
	for datagram := make([]byte, 1<<16); ; {
		n, err := d.conn.Read(datagram)
		if err != nil {
			t.Fatalf("after %d documents: %v", len(all), err)
		}
		_, document, _ := bytes.Cut(datagram[:n], []byte("\n"))
		if string(document) == endMark {
			return all
		}
		var s segment
		if err := json.Unmarshal(document, &s); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		all = append(all, s)
	}
}
