package message

import (
	"encoding/json"
	"testing"
	"time"
)

// TestFrame proves that a frame carries the very string or value that the producer wrote, also after the message was written
// anew.
func TestFrame(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for body, want := range map[string]string{
		`"5"`:                      `"5"`,
		`5`:                        `5`,
		`""`:                       `""`,
		`null`:                     `null`,
		`"<b>\u0000\n😀\uffff"`:     `"<b>\u0000\n😀\uffff"`,
		`{ "a" : [1.0, "\u003c"]}`: `{"a":[1.0,"\u003c"]}`,
		`"{\"type\":\"goodbye\"}"`: `"{\"type\":\"goodbye\"}"`,
	} {
		m, rejection := Parse(`{"UserId":"1","Body":` + body + `}`)
		if rejection != nil {
			t.Fatal(rejection)
		}
		again, _ := Parse(m.Text())
		aside, _ := ParseAside(m.TextAside(), m.Body)
		for form, m := range map[string]Message{"parsed": m, "written anew": again, "with its body aside": aside} {
			text := string(m.Frame("m-1", sent).Bytes())
			if want := `{"type":"message","id":"m-1","sentAt":"2026-01-02T03:04:05.678Z","body":` + want + `}`; text != want {
				t.Errorf("%s, %s: %s, want %s", body, form, text, want)
			}
			if !json.Valid([]byte(text)) {
				t.Errorf("%s, %s: no JSON", body, form)
			}
		}
	}
	m := Message{Body: []byte("b")}
	if got, want := string(m.Frame("i", time.Time{}).Bytes()), `{"type":"message","id":"i","body":"b"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestV1ConnectionSurvives proves that a message to a connection of heliograph.v1 is still one once it was written anew.
func TestV1ConnectionSurvives(t *testing.T) {
	t.Parallel()
	m, _ := Parse(`{"ConnectionId":"v1:c=","Body":"b"}`)
	again, rejection := ParseAside(m.TextAside(), m.Body)
	if rejection != nil || again.Connection != "c=" || !again.V1 {
		t.Errorf("%+v, %v", again, rejection)
	}
}
