package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"heliograph/loadtest"
)

// TestConfirm proves that a deployed stack is put under load only after a yes, and that the amount and the price are said
// first.
func TestConfirm(t *testing.T) {
	t.Parallel()
	plan := loadtest.Plan{Connections: 1000, Devices: 2, Rate: 200, For: 5 * time.Minute, Size: 200}
	for answer, goesOn := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "": false} {
		var stderr bytes.Buffer
		w := world{stdin: strings.NewReader(answer), stderr: &stderr}
		if err := (&loadCommand{}).confirm(w, plan); (err == nil) != goesOn {
			t.Errorf("%q: %v", answer, err)
		}
		for _, want := range []string{"1000 connections", "60000 messages", "arrive 120000 times", "USD"} {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%q is not in %s", want, &stderr)
			}
		}
	}
}

// TestPrice proves the price of a load by its largest parts: 120,000 posts at 1.00 a million, 60,000 messages each sent,
// received and deleted at 0.40 a million, and 6,000 minutes of connections at 0.25 a million.
func TestPrice(t *testing.T) {
	t.Parallel()
	parts := 0.12 + 3*0.024 + 0.0015
	if got := price(loadtest.Plan{Connections: 1000, Devices: 2, Rate: 200, For: 5 * time.Minute}); got < parts || got > 2*parts {
		t.Errorf("%v USD; the largest parts are %v", got, parts)
	}
}
