package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heliograph/message"
)

// dlqCommand groups the commands that read, redrive and clear the dead-letter queue.
type dlqCommand struct {
	List    dlqListCommand    `cmd:"" help:"List the dead-letter queue, without the bodies."`
	Show    dlqShowCommand    `cmd:"" help:"Show one message with its attributes."`
	Redrive dlqRedriveCommand `cmd:"" help:"Put messages back on the send queue."`
	Drop    dlqDropCommand    `cmd:"" help:"Delete messages for good."`
}

// dlqHides is part of each command's help, because it affects others.
const dlqHides = `
SQS has no peek: while the command runs, the messages that it has read are hidden from everybody else. On exit, also by
Ctrl-C, the command releases every message that it did not remove.`

// dlqPicked selects the messages that a command works on: by id, all of them, or all with one reason.
type dlqPicked struct {
	IDs    []string `arg:"" name:"message-id" optional:"" help:"Messages by their ids, as list shows them."`
	All    bool     `help:"All messages in the queue when the command starts."`
	Reason string   `help:"With --all: only messages whose reason begins with this word, such as undelivered or crash."`
}

// check rejects selections that contradict each other or select nothing.
func (p dlqPicked) check() error {
	switch {
	case p.All && len(p.IDs) > 0:
		return errors.New("message ids and --all exclude each other")
	case !p.All && len(p.IDs) == 0:
		return errors.New("name messages by their ids, or all by --all; `heliograph dlq list` shows what is there")
	case p.Reason != "" && !p.All:
		return errors.New("--reason goes with --all")
	}
	return nil
}

// takes reports whether a message is selected.
func (p dlqPicked) takes(l letter) bool {
	if p.All {
		return p.Reason == "" || p.Reason == l.Reason
	}
	return slices.Contains(p.IDs, l.MessageID)
}

// hideFor returns how long messages stay hidden from other readers at most, if the command dies and can't release them:
// long enough to read n of them and to process them at the given rate.
func hideFor(n int, rate float64) time.Duration {
	n = max(n, 10)                   // n is approximate, and one receive returns up to ten
	seconds := 60 + float64(n)/100 + // a receive of ten takes far less than 100 ms
		float64(n)/max(rate, 1e-9) // time to process the messages
	return time.Duration(min(seconds, 12*60*60)) * time.Second // SQS hides messages for 12 hours at most
}

// outcomes counts the results of one command.
type outcomes struct {
	found  map[string]bool
	others map[string]int // messages that were not selected, by reason
	later  int            // messages that arrived after the start
	done   int
	cut    int
	failed int
}

func newOutcomes() outcomes { return outcomes{found: map[string]bool{}, others: map[string]int{}} }

// all reports whether every message requested by id has been found.
func (o *outcomes) all(p dlqPicked) bool {
	return !p.All && !slices.ContainsFunc(p.IDs, func(id string) bool { return !o.found[id] })
}

// problem returns everything that was requested and not done, so that nothing fails silently.
func (o *outcomes) problem(p dlqPicked, queue string) error {
	var errs []error
	if o.cut > 0 {
		errs = append(errs, fmt.Errorf("%d in %s can't be redriven, since their bodies are not whole (attribute %s): their producers have to send them again",
			o.cut, queue, message.CutAttribute))
	}
	if o.failed > 0 {
		errs = append(errs, fmt.Errorf("%d failed, and are still in %s: try again", o.failed, queue))
	}
	var missing []string
	for _, id := range p.IDs {
		if !o.found[id] && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		errs = append(errs, notThere(queue, missing...))
	}
	if p.Reason != "" && len(o.found) == 0 && len(o.others) > 0 {
		errs = append(errs, errors.New(noneWith(p.Reason, queue, o.others)))
	}
	return errors.Join(errs...)
}

// nothing reports that messages were there and none was taken: a script must not believe that its work is done.
func (o *outcomes) nothing(hidden int, queue string) error {
	if len(o.found) > 0 || hidden+o.later == 0 {
		return nil
	}
	return fmt.Errorf("nothing was taken from %s, although messages are there: try again", queue)
}

func noneWith(reason, queue string, others map[string]int) string {
	return fmt.Sprintf("no message in %s has the reason %s; there are: %s", queue, reason, countsByName(others))
}

func notThere(queue string, ids ...string) error {
	return fmt.Errorf("not found in %s: %s.\n`heliograph dlq list` shows what is there; messages that another reader has received are hidden for a while",
		queue, strings.Join(ids, ", "))
}
