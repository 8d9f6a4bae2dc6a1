package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab, with the errors and warnings of its page.
type browser struct {
	t    *testing.T
	ctx  context.Context
	home string

	mu         sync.Mutex
	complaints []string
}

// need skips a test that lacks a prerequisite; in CI it fails the test.
func need(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// find returns the first of the programs that is installed.
func find(programs ...string) (path string, err error) {
	for _, program := range programs {
		if path, err = exec.LookPath(program); err == nil {
			return path, nil
		}
	}
	return "", err
}

// open starts a browser with an empty profile.
func open(t *testing.T, home string) *browser {
	t.Helper()
	program, err := find("chromium", "google-chrome")
	need(t, "the console is tested in a browser: apt-get install chromium", err)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, home: home}
	b.do(chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return b
}

// hear records the page's errors and warnings: failed scripts, and anything that the Content-Security-Policy blocked.
func (b *browser) hear(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != "error" && e.Type != "warning" {
			return
		}
		for _, a := range e.Args {
			text += " " + string(a.Value)
		}
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		t.Errorf("the page complained:\n%s", strings.Join(b.complaints, "\n"))
		b.complaints = nil
	}
}

// limit is how long the page may take for anything. A busy machine needs that long; the page does not.
const limit = 60 * time.Second

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// read evaluates an expression in the page.
func read[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// see waits until an expression is true in the page.
func (b *browser) see(t *testing.T, expression string) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if read[bool](t, b, "!!("+expression+")") {
			return
		}
	}
	t.Fatalf("never came true: %s; the page shows:\n%s", expression, read[string](t, b, "document.querySelector('main').innerText.slice(0, 4000)"))
}

// seeText waits for a text on the page.
func (b *browser) seeText(t *testing.T, text string) {
	t.Helper()
	b.see(t, fmt.Sprintf("document.querySelector('main').innerText.includes(%s)", quoted(text)))
}

func quoted(value any) string {
	out, _ := json.Marshal(value)
	return string(out)
}

// visit opens a page of the console by its route, and waits until it has been drawn.
func (b *browser) visit(t *testing.T, route string) {
	t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.home+"#/"+route))
	b.see(t, "document.querySelector('main h1') && !document.querySelector('main').innerText.includes('Loading…')")
}

// click clicks the first element that matches a selector and whose text, or accessible name, contains a text.
func (b *browser) click(t *testing.T, selector, text string) {
	t.Helper()
	b.see(t, fmt.Sprintf(`(() => { const e = [...document.querySelectorAll(%s)].find((e) => (e.innerText + (e.ariaLabel ?? '')).includes(%s)); e?.click(); return e; })()`,
		quoted(selector), quoted(text)))
}

// look sets the theme and the width.
func (b *browser) look(theme string, width int64) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	}); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900))
}
