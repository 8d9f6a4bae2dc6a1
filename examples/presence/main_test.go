package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestHandle proves that repeated and late events, and those of other kinds, change nothing.
func TestHandle(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := subscriber{seen: map[string]int64{}, out: &out}
	for _, text := range []string{
		`{"EventName":"OnlineStatusChanged","Data":{"UserId":"1234","IsOnline":true,"Version":7}}`,
		`{"EventName":"OnlineStatusChanged","Data":{"UserId":"1234","IsOnline":true,"Version":7}}`,
		`{"EventName":"OnlineStatusChanged","Data":{"UserId":"1234","IsOnline":false,"Version":6}}`,
		`{"EventName":"OnlineStatusChanged","Data":{"UserId":"5678","IsOnline":true,"Version":1}}`,
		`{"EventName":"MessageSettled","Data":{"UserId":"1234","Version":9}}`,
		`{"EventName":"OnlineStatusChanged","Data":{"UserId":"1234","IsOnline":false,"Version":8}}`,
	} {
		var e event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		s.handle(e)
	}
	if want := "1234 is online\n5678 is online\n1234 is offline\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
