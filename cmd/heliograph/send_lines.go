package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/message"
)

// SQS bills requests, and a large one for each 64 KB: one carries up to ten messages, and more than 256 KB save nothing.
const (
	requestMessages = 10
	requestBytes    = 256 << 10
	// requestPause is how long a message waits for others to share its request.
	requestPause = 100 * time.Millisecond
)

// inputLine is a line of standard input.
type inputLine struct {
	number int
	text   string
}

// lineSender puts messages on the queue, a line of standard input each.
type lineSender struct {
	queue   *sqs.Client
	url     string
	group   *string     // of all lines; nil for none
	waiting []inputLine // not yet sent
	bytes   int         // of those
	queued  int
}

// sendLines sends each line of standard input as a whole message. Everything before a faulty line is sent, and nothing
// after it.
func sendLines(ctx context.Context, w world, t *target, group string) error {
	s := lineSender{queue: t.queue(), url: t.SendQueueURL, group: optional(group)}
	lines, read := readLines(ctx, w.stdin)
	err := s.send(ctx, lines)
	if err == nil && ctx.Err() == nil {
		err = <-read
	}
	_, printed := fmt.Fprintf(w.stdout, "queued %d messages\n", s.queued)
	return errors.Join(err, printed)
}

// readLines reads lines that are not blank. The error comes after the last one.
func readLines(ctx context.Context, r io.Reader) (<-chan inputLine, <-chan error) {
	lines, read := make(chan inputLine), make(chan error, 1)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, message.MaxMessage+1)
		for number := 1; scanner.Scan(); number++ {
			if strings.TrimSpace(scanner.Text()) == "" {
				continue
			}
			select {
			case lines <- inputLine{number, scanner.Text()}:
			case <-ctx.Done():
				return
			}
		}
		err := scanner.Err()
		if err != nil {
			err = fmt.Errorf("read standard input: %w", err)
		}
		read <- err
	}()
	return lines, read
}

// send sends lines until they end, ten by one request, or fewer if no more come for a while.
func (s *lineSender) send(ctx context.Context, lines <-chan inputLine) error {
	for {
		var pause <-chan time.Time
		if len(s.waiting) > 0 {
			pause = time.After(requestPause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause:
			if err := s.flush(ctx); err != nil {
				return err
			}
		case line, more := <-lines:
			if !more {
				return s.flush(ctx)
			}
			if err := s.add(ctx, line); err != nil {
				return err
			}
		}
	}
}

// add puts a line beside those that wait, and sends them if the next has no room.
func (s *lineSender) add(ctx context.Context, line inputLine) error {
	if _, rejection := message.Parse(line.text); rejection != nil {
		return errors.Join(s.flush(ctx), fmt.Errorf("line %d of standard input is no message: %s", line.number, rejection))
	}
	size := len(line.text) + len(aws.ToString(s.group))
	if s.bytes+size > requestBytes {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.waiting, s.bytes = append(s.waiting, line), s.bytes+size
	if len(s.waiting) == requestMessages {
		return s.flush(ctx)
	}
	return nil
}

// flush sends what waits, by one request. SQS may take some messages of a request and refuse others.
func (s *lineSender) flush(ctx context.Context) error {
	if len(s.waiting) == 0 {
		return nil
	}
	in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(s.url)}
	for _, line := range s.waiting {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(line.number)), MessageBody: aws.String(line.text), MessageGroupId: s.group,
		})
	}
	first := s.waiting[0].number
	s.waiting, s.bytes = nil, 0
	out, err := s.queue.SendMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("put the messages from line %d on the queue %s: %w", first, s.url, err)
	}
	s.queued += len(out.Successful)
	var refused []error
	for _, f := range out.Failed {
		refused = append(refused, fmt.Errorf("line %s was not queued: %s: %s", aws.ToString(f.Id), aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	return errors.Join(refused...)
}
