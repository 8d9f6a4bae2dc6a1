package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// dlqListCommand lists dead letters without their bodies.
type dlqListCommand struct {
	Reason string `help:"Only messages whose reason begins with this word, such as undelivered or crash."`
	Limit  int    `default:"100" help:"List at most this many."`
	JSON   bool   `name:"json" help:"Print them as JSON."`
}

func (dlqListCommand) Help() string {
	return `"crash" stands for messages without a reason: the queue itself moved them, since the function died each time.
docs/runbooks/dead-letters.md says what each reason means, and what to do.
` + dlqHides + `

Examples:
  heliograph dlq list
  heliograph dlq list --reason undelivered --json`
}

// Validate is called by kong.
func (c *dlqListCommand) Validate() error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit is %d; it must be at least 1", c.Limit)
	}
	return nil
}

func (c *dlqListCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	return c.list(ctx, w, t.dlq())
}

// list stops reading at --limit, and then estimates the rest from the count taken at the start.
func (c *dlqListCommand) list(ctx context.Context, w world, queue dlq) error {
	census, err := queue.count(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	letters, more, others := []letter{}, 0, map[string]int{}
	walk := walk{dlq: queue, hide: hideFor(census.visible, 1e9)}
	walk.visit = func(_ context.Context, l letter) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case c.Reason != "" && c.Reason != l.Reason:
			others[l.Reason]++
		case len(letters) < c.Limit:
			letters = append(letters, l)
		default:
			more++
		}
		return false
	}
	walk.enough = func() bool { return len(letters) >= c.Limit }
	if err := walk.run(ctx); err != nil {
		return err
	}
	slices.SortFunc(letters, func(a, b letter) int {
		return cmp.Or(a.SentAt.Compare(b.SentAt), cmp.Compare(a.MessageID, b.MessageID))
	})
	if err := c.print(w, letters, census.now); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: the list is not complete")
	}
	if len(letters) == 0 {
		c.nothing(w.stderr, queue.url, others)
	}
	if left := census.visible - len(walk.held); walk.enough() && left > 0 {
		more += left
	}
	if more > 0 {
		fmt.Fprintf(w.stderr, "about %d more are there: raise --limit, which is %d\n", more, c.Limit)
	}
	walk.remark(w.stderr, census.hidden)
	return nil
}

func (c *dlqListCommand) print(w world, letters []letter, now time.Time) error {
	if c.JSON {
		return json.NewEncoder(w.stdout).Encode(letters)
	}
	if len(letters) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "MESSAGE\tAGE\tATTEMPTS\tBYTES\tID\tREASON")
	for _, l := range letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
			l.MessageID, age(now.Sub(l.SentAt)), l.attempts(), l.size(), plain(l.ID), l.why())
	}
	return table.Flush()
}

// nothing explains why the list is empty.
func (c *dlqListCommand) nothing(out io.Writer, queue string, others map[string]int) {
	if len(others) > 0 {
		fmt.Fprintf(out, "%s\n", noneWith(c.Reason, queue, others))
		return
	}
	fmt.Fprintf(out, "there is nothing to see in %s\n", queue)
}
