package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"heliograph/local"
	"heliograph/simulator/loopback"
)

// onlooker has the console open: it listens to the stream of events, and reads at each what the next page reads.
type onlooker struct {
	at             local.Endpoints
	pulses, slow   int
	longest        time.Duration
	closed, broken error
}

// looksAt are the pages, by what they read.
var looksAt = []string{"dashboard?minutes=15", "alarms", "traces", "connections", "queues", "logs"}

// patient is how long the page may wait for one answer in a storm before an operator would reload it.
const patient = 10 * time.Second

// look watches until the context ends.
func (o *onlooker) look(ctx context.Context) {
	if err := o.listen(ctx); ctx.Err() == nil {
		o.closed = err
	}
}

func (o *onlooker) listen(ctx context.Context) error {
	stream, err := o.get(ctx, "events")
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for lines := bufio.NewReader(stream); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the stream of events ended: %w", err)
		}
		if !strings.HasPrefix(line, "data: ") {
			continue
		}
		o.pulses++
		page := looksAt[o.pulses%len(looksAt)]
		if err := o.read(ctx, page); err != nil && ctx.Err() == nil {
			o.broken = fmt.Errorf("%s: %w", page, err)
		}
	}
}

// read reads the JSON of a page.
func (o *onlooker) read(ctx context.Context, page string) error {
	began := time.Now()
	answer, err := o.get(ctx, page)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	text, err := io.ReadAll(answer)
	took := time.Since(began)
	o.longest = max(o.longest, took)
	if took > patient {
		o.slow++
	}
	if err == nil && !json.Valid(text) {
		err = fmt.Errorf("%.100s is not JSON", text)
	}
	return err
}

func (o *onlooker) get(ctx context.Context, page string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.at.AWSEndpointURL+"/_heliograph/"+page, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(loopback.WriteHeader, o.at.AccessKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("answered %s", answer.Status)
	}
	return answer.Body, nil
}

// check proves that the console was there all the time.
func (o *onlooker) check(t *testing.T, lasted time.Duration) {
	t.Helper()
	t.Logf("the console: %d pulses, the slowest answer took %v", o.pulses, o.longest.Round(time.Millisecond))
	if o.closed != nil || o.broken != nil || o.slow > 0 {
		t.Errorf("the console: %v, %v, %d answers took more than %v", o.closed, o.broken, o.slow, patient)
	}
	if least := int(lasted / (10 * time.Second)); o.pulses < least {
		t.Errorf("the console told of %d changes, want at least %d", o.pulses, least)
	}
}
