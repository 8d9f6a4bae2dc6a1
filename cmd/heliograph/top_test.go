package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/local"
)

// overview is a local stack's console as far as top asks it.
func overview(t *testing.T) *target {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_heliograph/pulse", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"firing":["s-late"],"alarms":70,"connections":3,"faults":["429 storm"],"problems":["a problem"]}`)
	})
	mux.HandleFunc("GET /_heliograph/dashboard", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("minutes") != "5" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"minutes is 5"}`)
			return
		}
		fmt.Fprint(w, `{"name":"board","widgets":[{"type":"text"},{"type":"metric","title":"Posts","lines":[
			{"label":"delivered","values":[0,null,4,8,2.5,null]},{"label":"gone","values":[null,null]},{"label":"none","values":[0,0]}]},
			{"type":"metric","title":"Empty","lines":[{"label":"e","values":[]}]}]}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &target{Endpoints: local.Endpoints{AWSEndpointURL: server.URL}}
}

// TestTop proves that top prints what fires and what is broken, then each line with its last value and a graph on a scale
// from 0, and lines without a value only on request.
func TestTop(t *testing.T) {
	t.Parallel()
	shown, err := readFigures(t.Context(), overview(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	const head = "board   3 connections   1 of 70 alarms firing\n▲ ALARM  s-late\n◆ fault  429 storm\n! a problem\n"
	row := func(label, last, graph string) string { return fmt.Sprintf("  %-34s %10s  %s\n", label, last, graph) }
	posts := "\nPosts\n" + row("delivered", "2.5", "▁ ▅█▃ ")
	for all, want := range map[bool]string{
		false: head + posts + row("none", "0", "▁▁"),
		true:  head + posts + row("gone", "-", "  ") + row("none", "0", "▁▁") + "\nEmpty\n" + row("e", "-", ""),
	} {
		var out bytes.Buffer
		shown.print(&out, all)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("all %v (-want +got):\n%s", all, diff)
		}
	}
}

// TestTopRefused proves that the stack's own words reach the user, and that a deployed stack is referred to its dashboard.
func TestTopRefused(t *testing.T) {
	t.Parallel()
	if _, err := readFigures(t.Context(), overview(t), 6); err == nil || err.Error() != "minutes is 5" {
		t.Errorf("the error is %v", err)
	}
	deployed := new(target)
	deployed.DashboardURL = "https://dashboard"
	if _, err := readFigures(t.Context(), deployed, 5); err == nil || !strings.Contains(err.Error(), "https://dashboard") {
		t.Errorf("the error is %v", err)
	}
	if err := (&topCommand{Every: time.Millisecond}).Validate(); err == nil {
		t.Error("top would look a thousand times a second")
	}
}
