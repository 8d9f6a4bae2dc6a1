package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is a page of a real browser; all tabs of a test share its storage.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browse starts a browser with an empty profile, and serves this folder to it.
func browse(t *testing.T) (first tab, files string) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		program, err = exec.LookPath("google-chrome")
	}
	need(t, "the client in JavaScript is tested in a browser: apt-get install chromium", err)
	server := httptest.NewServer(http.FileServer(http.Dir(".")))
	t.Cleanup(server.Close)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	first = openTab(t, allocator)
	return first, server.URL
}

func openTab(t *testing.T, in context.Context) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in)
	t.Cleanup(cancel)
	return tab{t, ctx}
}

// visit loads the page that the tests run in, and runs a module in it.
func (b tab) visit(files, module string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(files+"/testdata/page.html")); err != nil {
		b.t.Fatal(err)
	}
	read[bool](b, fmt.Sprintf(`(() => {
		const script = document.createElement("script");
		script.type = "module";
		script.textContent = %s;
		document.body.append(script);
		return true;
	})()`, quoted(module)))
}

// read evaluates an expression in the page.
func read[T any](b tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// see waits until an expression is true in the page.
func (b tab) see(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if read[bool](b, "!!("+expression+")") {
			return
		}
	}
	b.t.Fatalf("never came true: %s", expression)
}

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// offline takes the way to an address from the page, and has the browser say that the network is gone; or the opposite.
func (b tab) offline(address string, off bool) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{URLPattern: address + "/*", Offline: off, DownloadThroughput: -1, UploadThroughput: -1}},
	}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off}); err != nil {
		b.t.Fatal(err)
	}
}

// TestScenariosInBrowser proves that the client in JavaScript plays each scenario in a page.
func TestScenariosInBrowser(t *testing.T) {
	t.Parallel()
	b, files := browse(t)
	d := newJSDevice(t)
	b.visit(files, fmt.Sprintf(`import { drive } from "/testdata/driver.mjs"; drive(%s);`, quoted(d.address)))
	d.play(t, "browser")
}

// app is an application as a page has it, with the storage and the clock that are the defaults.
const app = `
	import { Client } from "/js/heliograph.js";
	window.got = [];
	window.state = "";
	window.client = new Client({
		url: %s, token: async () => "token",
		onMessage: ({ id }) => void got.push(id), onLive: () => (state = "live"), onDown: ({ error }) => (state = error.message),
	});
	client.run();`

// serve starts a stage for pages.
func serve(t *testing.T) (st *stage, address string) {
	t.Helper()
	st = newStage(t)
	st.patience = patience
	server := httptest.NewServer(st)
	t.Cleanup(func() {
		for _, c := range st.sockets {
			c.conn.CloseNow()
		}
		server.CloseClientConnections()
		server.Close()
	})
	return st, ws(server.URL)
}

// script does steps of the service, as scenarios.json writes them.
func (s *stage) script(steps string) {
	s.t.Helper()
	var all []step
	if err := json.Unmarshal([]byte(steps), &all); err != nil {
		s.t.Fatal(err)
	}
	s.steps(all)
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// TestTwoTabs proves that two tabs that share a cursor miss nothing for that: a tab goes on from its own, and only one that
// is loaded anew from the shared one.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	one, files := browse(t)
	st, address := serve(t)
	module := fmt.Sprintf(app, quoted(address))
	one.visit(files, module)
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello"}}, {"send": {"type": "hello"}}, {"send": {"type": "live", "cursor": "box.0"}}]`)
	one.see(`state === "live" && localStorage["heliograph " + ` + quoted(address) + `] === "box.0"`)
	two := openTab(t, one.ctx)
	two.visit(files, module)
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello", "after": "box.0"}}, {"send": {"type": "live", "cursor": "box.0"}},
		{"send": {"type": "message", "id": "m1", "position": 1, "cursor": "box.1", "body": 1}, "on": 1},
		{"send": {"type": "message", "id": "m1", "position": 1, "cursor": "box.1", "body": 1}, "on": 2}]`)
	two.see(`got.join() === "m1"`)
	one.see(`got.join() === "m1"`)
	st.script(`[{"send": {"type": "message", "id": "m2", "position": 2, "cursor": "box.2", "body": 2}, "on": 1}]`)
	one.see(`got.join() === "m1,m2"`)
	st.script(`[{"cut": true, "on": 2}, {"accept": "heliograph.v1"}, {"expect": {"action": "hello", "after": "box.1"}},
		{"send": {"type": "missed", "messages": [{"id": "m2", "position": 2, "cursor": "box.2", "body": 2}]}}, {"send": {"type": "live", "cursor": "box.2"}}]`)
	two.see(`got.join() === "m1,m2"`)
	one.visit(files, module)
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello", "after": "box.2"}}]`)
}

// TestBackgroundTab proves that a tab that the browser froze in the background, which ends its connection, goes on from
// what it has handled.
func TestBackgroundTab(t *testing.T) {
	t.Parallel()
	b, files := browse(t)
	st, address := serve(t)
	b.visit(files, fmt.Sprintf(app, quoted(address)))
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello"}}, {"send": {"type": "live", "cursor": "box.0"}}]`)
	b.see(`state === "live"`)
	b.lifecycle(page.SetWebLifecycleStateStateFrozen)
	st.script(`[{"send": {"type": "message", "id": "m1", "position": 1, "cursor": "box.1", "body": 1}}, {"cut": true}]`)
	b.lifecycle(page.SetWebLifecycleStateStateActive)
	// The first copy may have been lost or not, so the client may ask for the second or not.
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello", "after": "$cursor"}},
		{"send": {"type": "missed", "messages": [{"id": "m1", "position": 1, "cursor": "box.1", "body": 1},
			{"id": "m2", "position": 2, "cursor": "box.2", "body": 2}]}}, {"send": {"type": "live", "cursor": "box.2"}}]`)
	b.see(`got.join() === "m1,m2"`)
}

func (b tab) lifecycle(state page.SetWebLifecycleStateState) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state}); err != nil {
		b.t.Fatal(err)
	}
}

// TestNetworkCut proves that a page that loses its network notices ten seconds after the browser, and is back as soon as
// the browser says that the network is.
func TestNetworkCut(t *testing.T) {
	t.Parallel()
	b, files := browse(t)
	st, address := serve(t)
	d := newJSDevice(t)
	st.device, d.url = d, address
	b.visit(files, fmt.Sprintf(`import { drive } from "/testdata/driver.mjs"; drive(%s);`, quoted(d.address)))
	d.await()
	d.do(map[string]any{"start": ""})
	st.script(`[{"accept": "heliograph.v1"}, {"expect": {"action": "hello"}}, {"send": {"type": "live", "cursor": "box.0"}},
		{"event": {"live": {"connection": "", "user": "", "raw": false}}}]`)
	b.offline(address, true)
	st.script(`[{"advance": "10s"}, {"event": {"down": {"code": "silent", "retryIn": 250}}}, {"advance": "250ms"},
		{"event": {"down": {"code": "lost", "retryIn": 500}}}, {"advance": "500ms"}, {"event": {"down": {"code": "lost", "retryIn": 1000}}}]`)
	b.offline(address, false)
	st.script(`[{"accept": "heliograph.v1", "token": "token-4"}, {"expect": {"action": "hello", "after": "box.0"}}]`)
}
