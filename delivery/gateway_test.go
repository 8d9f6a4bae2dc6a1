package delivery

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// busyHost is a server that answers once a number of requests are in flight, and counts the connections opened to it.
type busyHost struct {
	*httptest.Server
	opened  atomic.Int64
	arrived chan struct{}
	answer  chan struct{}
}

func newBusyHost(t *testing.T) *busyHost {
	h := &busyHost{arrived: make(chan struct{}), answer: make(chan struct{})}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		h.arrived <- struct{}{}
		<-h.answer
	}))
	h.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			h.opened.Add(1)
		}
	}
	h.Start()
	t.Cleanup(h.Close)
	return h
}

// wave makes a number of simultaneous requests.
func (h *busyHost) wave(t *testing.T, client aws.HTTPClient, requests int) {
	t.Helper()
	var under sync.WaitGroup
	for range requests {
		under.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL, http.NoBody)
			if err == nil {
				var answer *http.Response
				if answer, err = client.Do(r); err == nil {
					err = answer.Body.Close()
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range requests {
		<-h.arrived
	}
	for range requests {
		h.answer <- struct{}{}
	}
	under.Wait()
}

// TestConnectionsAreKept proves that a full load opens its TCP connections once, and that no later burst begins with
// handshakes: posts to the gateway and, for each user, a claim beside a query for connections.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	client := Bounded(aws.Config{}).HTTPClient
	gateway, table, queue := newBusyHost(t), newBusyHost(t), newBusyHost(t)
	for range 3 {
		table.wave(t, client, 2*maxUsers)
		gateway.wave(t, client, maxPosts)
		queue.wave(t, client, maxRecords)
	}
	for name, host := range map[string]struct {
		*busyHost
		want int64
	}{"table": {table, 2 * maxUsers}, "gateway": {gateway, maxPosts}, "queue": {queue, maxRecords}} {
		if got := host.opened.Load(); got != host.want {
			t.Errorf("%d connections were opened to the %s, want %d", got, name, host.want)
		}
	}
}
