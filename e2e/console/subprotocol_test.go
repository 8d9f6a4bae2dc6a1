package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/chromedp/chromedp"

	"heliograph/auth"
)

// dialing lets a page open connections by the plain WebSocket API, and keeps of each what a page can know: the chosen
// subprotocol once it is open, what arrived, and the close code.
const dialing = `(() => {
  window.seen = {};
  window.dial = (name, url, protocols) => {
    const s = new WebSocket(url, protocols), it = (seen[name] = { messages: [] });
    s.onopen = () => (it.open = s.protocol);
    s.onmessage = ({ data }) => it.messages.push(data);
    s.onclose = ({ code }) => (it.closed = code);
    return true;
  };
  return true;
})()`

// TestSubprotocolToken proves that a page of any origin connects with nothing but new WebSocket(url, protocols), its token
// in a subprotocol, and receives messages; and that a browser sees each other token as a handshake that failed.
func TestSubprotocolToken(t *testing.T) {
	b := open(t, "")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><main></main>")
	}))
	t.Cleanup(page.Close)
	at := start(t).Endpoints()
	token := func(key string, lifetime time.Duration) string {
		signed, err := auth.SignHS256([]byte(key), auth.Rules{}, "ada", lifetime, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return "bearer." + signed
	}
	valid := token(secret, time.Hour)
	b.do(chromedp.Navigate(page.URL))
	read[bool](t, b, dialing)
	for name, protocols := range map[string]string{
		"valid":          quoted([]string{"heliograph", valid}),
		"in any order":   quoted([]string{valid, "heliograph"}),
		"another key's":  quoted([]string{"heliograph", token("another-secret-of-32-bytes-or-more", time.Hour)}),
		"expired":        quoted([]string{"heliograph", token(secret, -time.Minute)}),
		"tampered with":  quoted([]string{"heliograph", valid[:len(valid)-2] + "AA"}),
		"no token":       quoted([]string{"heliograph"}),
		"nothing":        "undefined",
		"without prefix": quoted([]string{"heliograph", valid[len("bearer."):]}),
		// The server may choose only what it knows, and a browser gives up if none of its own is chosen.
		"the token alone": quoted([]string{valid}),
	} {
		read[bool](t, b, fmt.Sprintf("dial(%s, %s, %s)", quoted(name), quoted(at.WebSocketURL), protocols))
		it := "seen[" + quoted(name) + "]"
		if name == "valid" || name == "in any order" {
			b.see(t, it+".open === 'heliograph'")
			continue
		}
		b.see(t, it+".closed")
		if got := read[string](t, b, "JSON.stringify("+it+")"); got != `{"messages":[],"closed":1006}` {
			t.Errorf("%s: the page saw %s, want a failed handshake", name, got)
		}
	}
	cfg, err := at.AWSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqs.NewFromConfig(cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &at.SendQueueURL, MessageBody: aws.String(`{"UserId":"ada","Body":"Grüße"}`),
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"valid", "in any order"} {
		b.see(t, "seen["+quoted(name)+"].messages.length === 1 && seen["+quoted(name)+"].messages[0] === 'Grüße'")
	}
}
