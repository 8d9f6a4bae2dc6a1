package wire_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
)

// sendCBOR posts an input to an action of the service Echo_1, and returns the status and the response.
func sendCBOR(t *testing.T, path string, body []byte, encoding string) (int, http.Header, cbor.Value) {
	t.Helper()
	e := wire.NewEndpoint(wire.Options{MaxBody: 1000})
	s := echoService()
	s.CBOR = true
	e.Register(s)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	r.Header.Set("Content-Type", "application/cbor")
	r.Header.Set("Authorization", signature)
	r.Header.Set("X-Amzn-Query-Mode", "true")
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	v, err := cbor.Decode(answer)
	if err != nil || w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" || w.Header().Get("Content-Type") != "application/cbor" {
		t.Errorf("no answer in CBOR: %v %v %q", err, w.Header(), answer)
	}
	return w.Code, w.Header(), v
}

const echoPath = "/service/Echo_1/operation/"

func TestCBOR(t *testing.T) {
	t.Parallel()
	everything := cbor.Map{
		"Name": cbor.String("<€>"), "Count": cbor.NegInt(7), "Exact": cbor.Bool(true), "Share": cbor.Float64(1.5),
		"Names": cbor.List{cbor.String("x"), cbor.String("")}, "Flat": cbor.List{cbor.Map{"Text": cbor.String("one")}},
		"Inner": cbor.Map{"Deep": cbor.Map{"k": cbor.String("v")}}, "Map": cbor.Map{"m": cbor.Map{"Text": cbor.String("t")}},
	}
	status, _, got := sendCBOR(t, echoPath+"Echo", cbor.Encode(everything), "")
	if diff := cmp.Diff(cbor.Value(everything), got); diff != "" || status != 200 {
		t.Errorf("%d %s", status, diff)
	}
	if status, _, got := sendCBOR(t, echoPath+"Echo", nil, ""); status != 200 || len(got.(cbor.Map)) != 0 {
		t.Errorf("nothing: %d %v", status, got)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(cbor.Encode(cbor.Map{"Name": cbor.String(strings.Repeat("x", 900))}))
	_ = z.Close()
	if status, _, got := sendCBOR(t, echoPath+"Echo", packed.Bytes(), "gzip"); status != 200 || len(got.(cbor.Map)["Name"].(cbor.String)) != 900 {
		t.Errorf("compressed: %d %v", status, got)
	}
}

func TestCBORErrors(t *testing.T) {
	t.Parallel()
	packed := func(n int) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(make([]byte, n))
		_ = z.Close()
		return b.Bytes()
	}
	for name, tt := range map[string]struct {
		path, encoding string
		body           []byte
		status         int
		want           string // kind and message
		query          string
	}{
		"an action's error": {echoPath + "Fail", "", nil, 409, "com.example.echo#Refused no <way>", "Echo.Refused;Sender"},
		"unknown member":    {echoPath + "Echo", "", cbor.Encode(cbor.Map{"Nmae": cbor.String("")}), 400, "com.amazon.coral.service#SerializationException the input of Echo does not fit: there is no member Nmae here", "MalformedInput;Sender"},
		"a blob as a text":  {echoPath + "Echo", "", cbor.Encode(cbor.Map{"Name": cbor.Bool(true)}), 400, "com.amazon.coral.service#SerializationException the input of Echo does not fit: member Name", "MalformedInput;Sender"},
		"rubbish":           {echoPath + "Echo", "", []byte("{}"), 400, "com.amazon.coral.service#SerializationException the input of Echo does not fit: the body is no CBOR", "MalformedInput;Sender"},
		"unknown action":    {echoPath + "Sing", "", nil, 400, "com.amazon.coral.service#UnknownOperationException the action", "InvalidAction;Sender"},
		"unknown service":   {"/service/X/operation/Echo", "", nil, 400, "com.amazon.coral.service#UnknownOperationException the CBOR service \"X\"", ""},
		"another path":      {"/", "", nil, 400, "com.amazon.coral.service#UnknownOperationException a CBOR request is a POST of", ""},
		"a bomb":            {echoPath + "Echo", "gzip", packed(1001), 413, "com.amazon.coral.service#RequestEntityTooLarge", ""},
	} {
		status, header, got := sendCBOR(t, tt.path, tt.body, tt.encoding)
		m := got.(cbor.Map)
		said := string(m["__type"].(cbor.String)) + " " + string(m["message"].(cbor.String))
		if status != tt.status || !strings.HasPrefix(said, tt.want) || header.Get("X-Amzn-Query-Error") != tt.query {
			t.Errorf("%s: %d %s, %q", name, status, said, header.Get("X-Amzn-Query-Error"))
		}
	}
}
