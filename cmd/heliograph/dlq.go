package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heliograph/message"
)

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

// dlqPicked selects the messages that a command works on: some by their ids, or all, or all of one reason.
type dlqPicked struct {
	IDs    []string `arg:"" name:"message-id" optional:"" help:"Messages by their ids, as list shows them."`
	All    bool     `help:"All that lie there when the command starts."`
	Reason string   `help:"With --all: only those whose reason has this first word, such as undelivered, or crash."`
}

func (p dlqPicked) check() error {
	switch {
	case p.All && len(p.IDs) > 0:
		return errors.New("message ids and --all exclude each other")
	case !p.All && len(p.IDs) == 0:
		return errors.New("name messages by their ids, or all by --all; `heliograph dlq list` tells what is there")
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

// hideFor is how long messages stay hidden from others at most, if the command dies and can't give them back: long
// enough to read n of them, and to work on them at a rate.
func hideFor(n int, rate float64) time.Duration {
	n = max(n, 10)                   // the number is approximate; ten come with one receive
	seconds := 60 + float64(n)/100 + // a receive of ten takes far less than 100 ms
		float64(n)/max(rate, 1e-9) // of the messages that are worked on
	return time.Duration(min(seconds, 12*60*60)) * time.Second // 12 hours are SQS's limit
}

// outcomes is what became of the messages that a command was about.
type outcomes struct {
	found  map[string]bool
	others map[string]int // messages that were not meant, by reason
	later  int            // messages that came after the start
	done   int
	cut    int
	failed int
}

func newOutcomes() outcomes { return outcomes{found: map[string]bool{}, others: map[string]int{}} }

// all reports whether every message that was asked for by id has been found.
func (o *outcomes) all(p dlqPicked) bool {
	return !p.All && !slices.ContainsFunc(p.IDs, func(id string) bool { return !o.found[id] })
}

// problem is whatever was asked for and did not happen, so that the command does not pass over it in silence.
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

func noneWith(reason, queue string, others map[string]int) string {
	return fmt.Sprintf("no message in %s has the reason %s; there are: %s", queue, reason, countsByName(others))
}

func notThere(queue string, ids ...string) error {
	return fmt.Errorf("not found in %s: %s.\n`heliograph dlq list` tells what is there; what somebody else is reading just now is hidden for a while",
		queue, strings.Join(ids, ", "))
}
