package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/chromedp/chromedp"

	"heliograph/auth"
	"heliograph/local"
)

// keepSockets lets a test reach the page's connections.
const keepSockets = `(() => {
  window.sockets = [];
  const Plain = WebSocket;
  window.WebSocket = class extends Plain { constructor(...a) { super(...a); window.sockets.push(this); } };
  return true;
})()`

// TestBrowserExample proves that the example page connects with its token as a subprotocol, shows what arrives as text,
// asks for presence, and is back after its connection was cut.
func TestBrowserExample(t *testing.T) {
	b := open(t, "")
	page := httptest.NewServer(http.FileServer(http.Dir("../..")))
	t.Cleanup(page.Close)
	s, err := local.Start(t.Context(), local.Options{
		Root: ".", Config: map[string]string{"corsOrigins": fmt.Sprintf("[%q]", page.URL)},
		EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	at := s.Endpoints()
	token, err := auth.SignHS256([]byte(secret), auth.Rules{}, "ada", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(page.URL + "/examples/browser/"))
	read[bool](t, b, keepSockets)
	read[bool](t, b, fmt.Sprintf(`(() => { socket.value = %s; http.value = %s; token.value = %s; user.value = "ada"; return true; })()`,
		quoted(at.WebSocketURL), quoted(at.HTTPURL), quoted(token)))
	b.click(t, "form button", "Connect")
	b.see(t, "state.value === 'open'")
	b.click(t, "#ask", "Ask")
	b.see(t, "presence.value === 'online'")
	b.quiet(t)

	read[bool](t, b, "(sockets[0].close(), true)")
	b.see(t, "sockets.length === 2 && sockets[1].readyState === 1")
	cfg, err := at.AWSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqs.NewFromConfig(cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &at.SendQueueURL, MessageBody: aws.String(`{"UserId":"ada","Body":` + quoted(hostile) + `}`),
	}); err != nil {
		t.Fatal(err)
	}
	b.see(t, "messages.innerText === "+quoted(hostile))
	b.quiet(t)
}
