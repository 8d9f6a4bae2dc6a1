package gateway

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLostConnections proves that the gateway which follows on one that ended reports its open connections to
// $disconnect, with the event of a lost connection: the same id, time, client and authorizer. Connections of a stage
// that is gone are ignored.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	before := newGateway(t, f, Options{})
	s := socketStage(t, before)
	dial(t, s, nil).CloseNow()
	want := f.event(t, "disconnect")["requestContext"].(map[string]any)
	dial(t, s, nil)
	kept := before.Keep()
	if len(kept) != 1 {
		t.Fatalf("%d connections are kept", len(kept))
	}
	text, err := json.Marshal(append([]KeptConnection{{API: "gone", Stage: "local"}, {API: "sockets", Stage: "gone"}}, kept...))
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	after := newGateway(t, f, Options{})
	socketStage(t, after)
	after.Lost(kept)
	got := f.event(t, "disconnect")["requestContext"].(map[string]any)
	if got["connectionId"] != string(kept[2].ID) || got["connectedAt"] != float64(kept[2].ConnectedAt.UnixMilli()) {
		t.Errorf("got %v, want that of %+v", got, kept[2])
	}
	for _, own := range []string{"connectionId", "connectedAt", "requestId", "extendedRequestId", "requestTime", "requestTimeEpoch", "apiId"} {
		delete(want, own)
		delete(got, own)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differs (-alive +lost):\n%s", diff)
	}
	if n := f.invoked("disconnect"); n != 0 {
		t.Errorf("%d more events came", n)
	}
}
