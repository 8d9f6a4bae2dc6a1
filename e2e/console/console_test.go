package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/auth"
	"heliograph/local"
)

// hostile serves as a user id, a message and a log line; it would reveal itself if it were ever treated as more than
// text.
const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

var pages = []string{"overview", "alarms", "traces", "journey", "connections", "queues", "logs", "faults"}

// TestConsole uses the console as a person would. Its parts share one stack and one browser tab, so they run in
// order.
func TestConsole(t *testing.T) {
	b := open(t, "")
	stack := start(t)
	b.home = stack.Endpoints().ConsoleURL
	b.look("light", 1280)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *browser, local.Endpoints)
	}{
		{"A sent message shows in a chart", messageShows},
		{"Its journey reads from the queue to the device", journeyReads},
		{"Its trace opens", traceOpens},
		{"Hostile text stays text", hostileStaysText},
		{"Dead letters have a reason and can be redriven", deadLetters},
		{"A 429 storm turns send-failures on and off again", stormAlarms},
		{"Keys lead everywhere", keys},
		{"No page scrolls sideways on a phone", phone},
		{"axe finds nothing in either theme", accessible},
		{"The first paint is quick", firstPaint},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, b, stack.Endpoints()) })
		b.quiet(t)
	}
}

// start starts a local stack whose minutes last a second.
func start(t *testing.T) *local.Stack {
	t.Helper()
	s, err := local.Start(t.Context(), local.Options{
		Root: ".", MetricPeriod: time.Second, Config: map[string]string{"presenceGrace": "1s"},
		EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// secret is the public default that signs tokens in a local stack.
const secret = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"

// connect opens a connection of a user and reads everything that arrives.
func connect(t *testing.T, at local.Endpoints, user string) {
	t.Helper()
	token, err := auth.SignHS256([]byte(secret), auth.Rules{}, heliograph.UserID(user), time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := websocket.Dial(t.Context(), at.WebSocketURL+"?Authorization="+url.QueryEscape(token), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	go func() {
		for {
			if _, _, err := socket.Read(context.Background()); err != nil {
				return
			}
		}
	}()
}

// sendTo sends a message with the send box, and returns its id.
func sendTo(t *testing.T, b *browser, user, body string) string {
	t.Helper()
	b.visit(t, "connections")
	b.see(t, "document.getElementById('to')")
	read[bool](t, b, fmt.Sprintf(`(() => { to.value = %s; text.value = %s; return true; })()`, quoted(user), quoted(body)))
	b.click(t, "form button", "Send")
	b.see(t, "document.querySelector('form [role=status] a')")
	return read[string](t, b, "document.querySelector('form [role=status] a').innerText")
}

var sent string

func messageShows(t *testing.T, b *browser, at local.Endpoints) {
	connect(t, at, "ada")
	b.visit(t, "connections")
	b.seeText(t, "ada")
	b.see(t, "document.querySelector('main table time')") // of the lease
	sent = sendTo(t, b, "ada", "hello")
	b.visit(t, "overview")
	b.see(t, "[...document.querySelectorAll('m-chart')].some((c) => /[Dd]elivered [1-9]/.test(c.ariaLabel))")
	b.see(t, "document.querySelectorAll('m-chart canvas').length > 5")
}

func journeyReads(t *testing.T, b *browser, _ local.Endpoints) {
	b.visit(t, "journey/"+sent)
	for _, step := range []string{"delivered", "Queued", "Received by send", "Posted to", "answered 200"} {
		b.seeText(t, step)
	}
}

func traceOpens(t *testing.T, b *browser, _ local.Endpoints) {
	b.click(t, "main .steps a", "Trace")
	b.seeText(t, "PostToConnection")
	b.click(t, "main .fall button", "PostToConnection")
	b.see(t, "document.querySelector('main aside').innerText.includes('PostToConnection')")
	b.see(t, "document.querySelectorAll('main .fall rect').length > 3")
}

func hostileStaysText(t *testing.T, b *browser, at local.Endpoints) {
	connect(t, at, hostile)
	sendTo(t, b, hostile, hostile)
	b.seeText(t, hostile)
	sendTo(t, b, strings.Repeat("x", 300), hostile) // rejected: its body is in the dead-letter queue
	for _, page := range append([]string{"queues/heliograph-local-send-dead-letters", "logs/x", "journey/" + url.PathEscape(hostile)}, pages...) {
		b.visit(t, page)
		if title := read[string](t, b, "document.title"); strings.Contains(title, "owned") {
			t.Errorf("%s: the title is %q", page, title)
		}
		if n := read[int](t, b, "document.querySelectorAll('main img, main script').length"); n > 0 {
			t.Errorf("%s has %d elements that came from text", page, n)
		}
	}
}

func deadLetters(t *testing.T, b *browser, _ local.Endpoints) {
	b.visit(t, "queues/heliograph-local-send-dead-letters")
	b.see(t, "document.querySelectorAll('section tbody tr').length === 1")
	b.see(t, "document.querySelector('section tbody .state.bad')")
	before := read[string](t, b, "document.querySelector('section tbody a').innerText")
	b.click(t, "section button", "Redrive")
	// The redriven message dies again, as a new dead letter.
	b.see(t, fmt.Sprintf("document.querySelector('section tbody a') && document.querySelector('section tbody a').innerText !== %s", quoted(before)))
}

// storming is how many devices each message goes to: enough for the alarm to judge a second's posts.
const storming = 60

func stormAlarms(t *testing.T, b *browser, at local.Endpoints) {
	for range storming {
		connect(t, at, "storm")
	}
	defer traffic(t, at)()
	storm := func(on bool) {
		b.visit(t, "faults")
		b.click(t, "[role=switch]", "429 storm")
		b.see(t, fmt.Sprintf("!!document.querySelector('[role=switch][aria-checked=true]') === %t", on))
		b.visit(t, "alarms")
	}
	shown := "[...document.querySelectorAll('main tbody tr')].find((r) => r.innerText.includes('send-failures')).innerText.includes(%q)"
	b.visit(t, "alarms")
	b.see(t, fmt.Sprintf(shown, "OK"))
	storm(true)
	b.see(t, fmt.Sprintf(shown, "ALARM"))
	b.see(t, "document.querySelector('#status').innerText.includes('firing')")
	storm(false)
	b.see(t, fmt.Sprintf(shown, "OK"))
}

// traffic sends messages until it is stopped.
func traffic(t *testing.T, at local.Endpoints) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for tick := time.NewTicker(300 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, at.AWSEndpointURL+"/_heliograph/send", strings.NewReader(`{"user":"storm","body":"x"}`))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Heliograph", at.AccessKey)
			if answer, err := http.DefaultClient.Do(r); err == nil {
				_ = answer.Body.Close()
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

func keys(t *testing.T, b *browser, _ local.Endpoints) {
	b.visit(t, "overview")
	for letter, page := range map[string]string{"a": "alarms", "t": "traces", "j": "journey", "c": "connections", "q": "queues", "l": "logs", "f": "faults", "o": "overview"} {
		press(t, b, "g")
		press(t, b, letter)
		b.see(t, "location.hash === '#/"+page+"' && document.querySelector('#nav [aria-current]').hash === location.hash")
	}
	b.visit(t, "traces")
	b.see(t, "document.querySelector('[data-row]')")
	press(t, b, "j")
	b.see(t, "document.activeElement === document.querySelectorAll('[data-row]')[0]")
	press(t, b, "/")
	b.see(t, "document.activeElement.type === 'search'")
	read[bool](t, b, "document.activeElement.blur() ?? true")
	press(t, b, "?")
	b.see(t, "document.querySelector('dialog[open]')")
}

func press(t *testing.T, b *browser, key string) {
	t.Helper()
	read[bool](t, b, fmt.Sprintf("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: %s, bubbles: true })) || true", quoted(key)))
}

func phone(t *testing.T, b *browser, _ local.Endpoints) {
	b.look("light", 400)
	defer b.look("light", 1280)
	for _, page := range append([]string{"queues/heliograph-local-send-dead-letters"}, pages...) {
		b.visit(t, page)
		if over := read[int](t, b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			t.Errorf("%s is %d pixels too wide", page, over)
		}
	}
}

func accessible(t *testing.T, b *browser, _ local.Endpoints) {
	axe, err := os.ReadFile("../../.ci/node_modules/axe-core/axe.min.js")
	need(t, "accessibility is tested by axe-core: make tools", err)
	for _, theme := range []string{"light", "dark"} {
		b.look(theme, 1280)
		for _, page := range append([]string{"queues/heliograph-local-send-dead-letters", "journey/" + sent, "alarms/heliograph-local-send-failures"}, pages...) {
			b.visit(t, page)
			read[bool](t, b, string(axe)+"; true")
			read[bool](t, b, "axe.run().then((r) => { window.found = r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ')); }), true")
			b.see(t, "window.found")
			if found := read[[]string](t, b, "window.found"); len(found) > 0 {
				t.Errorf("%s, %s: %s", page, theme, strings.Join(found, "\n"))
			}
		}
	}
}

// firstPaint holds the time of the first paint to 100 ms, or to three times that of a page of plain text from the same
// server: a busy machine delays both.
func firstPaint(t *testing.T, b *browser, _ local.Endpoints) {
	const paint = "performance.getEntriesByName('first-contentful-paint')[0]"
	text := b.home[:strings.Index(b.home, "?")] + "/lib.js"
	var page, plain, drawn []float64
	for range 9 {
		b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(text))
		b.see(t, paint)
		plain = append(plain, read[float64](t, b, paint+".startTime"))
		b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.home))
		b.see(t, "document.querySelector('m-chart canvas')")
		page = append(page, read[float64](t, b, paint+".startTime"))
		drawn = append(drawn, read[float64](t, b, "performance.now()"))
	}
	t.Logf("medians of %d loads: the first paint came after %.0f ms, that of plain text after %.0f ms, the first graph after %.0f ms",
		len(page), median(page), median(plain), median(drawn))
	if median(page) > max(100, 3*median(plain)) {
		t.Errorf("the first paint may take 100 ms, or three times as long as plain text")
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
