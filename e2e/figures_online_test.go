package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"heliograph/auth"
	"heliograph/infra/stack"
)

// figureOnline measures the response time of the HTTP API, and proves that a page of a long list takes no longer than
// one of a short list. The lists are on two stacks that are asked in turn, so that other load on the machine slows
// both down.
func figureOnline(t *testing.T) {
	short, long := newAsker(t, 1_000), newAsker(t, 100_000)
	questions := map[string]func() time.Duration{
		"status": short.question(t, "?userIds="+userNumber(7)),
		"page":   short.question(t, "?limit=100"), "page of many": long.question(t, "?limit=100"),
		"middle":         short.question(t, "?limit=100&cursor="+short.middle(t)),
		"middle of many": long.question(t, "?limit=100&cursor="+long.middle(t)),
	}
	took := map[string][]float64{}
	const warmUp, rounds = 20, 300
	for round := range warmUp + rounds {
		for name, ask := range questions {
			if d := ask(); round >= warmUp {
				took[name] = append(took[name], float64(d.Microseconds())/1000)
			}
		}
	}
	report(t, "status of one user, p50", median(took["status"]), 10, "ms")
	report(t, "page of 100 users, p50", median(took["page"]), 15, "ms")
	report(t, "first page, 100,000 users to 1,000", median(took["page of many"])/median(took["page"]), 1.5, "times")
	report(t, "page in the middle, 100,000 users to 1,000", median(took["middle of many"])/median(took["middle"]), 1.5, "times")
	report(t, "gauges, 100,000 users online of 1 connection", long.sweepCosts(t, 1, 100_001), 1500, "read units")
}

// userNumber is a user id of the usual length.
func userNumber(i int) string { return fmt.Sprintf("b9d6b2a4-0000-4000-8000-%012d", i) }

// asker queries a stack of its own.
type asker struct {
	watched
	base, token string
	users       int
}

func newAsker(t *testing.T, users int) asker {
	t.Helper()
	_, endpoints := startStack(t)
	s, w := newSeeder(t, newLoad(t, endpoints)), watch(t, endpoints)
	w.holdOffAnnounce(t)
	s.fill(t, users, func(i int) item { return s.online(userNumber(i)) })
	token, err := auth.SignHS256([]byte(stack.PublicSecret), auth.Rules{}, "asker", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return asker{w, endpoints.HTTPURL + "/user/online", token, users}
}

// question returns a function that sends one request and returns the time until the response was complete.
func (a asker) question(t *testing.T, query string) func() time.Duration {
	return func() time.Duration {
		began := time.Now()
		body, _ := a.list(t, query)
		took := time.Since(began)
		if entries := strings.Count(body, `"IsOnline":true`); entries != 1 && entries != 100 {
			t.Fatalf("%s: %d users\n%.1000s", query, entries, body)
		}
		return took
	}
}

// list returns the answer, and the cursor of the next page if there is one.
func (a asker) list(t *testing.T, query string) (body, next string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", query, response.Status, err)
	}
	_, next, _ = strings.Cut(response.Header.Get("Link"), "cursor=")
	next, _, _ = strings.Cut(next, ">")
	return string(all), next
}

// middle reads half of the list, and returns the cursor there.
func (a asker) middle(t *testing.T) (cursor string) {
	t.Helper()
	page := min(a.users/2, 1000)
	for range a.users / 2 / page {
		_, cursor = a.list(t, fmt.Sprintf("?limit=%d&cursor=%s", page, cursor))
		if cursor == "" {
			t.Fatal("the list ended before its middle")
		}
	}
	return cursor
}
