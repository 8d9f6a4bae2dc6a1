package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/message"
)

// letter is one dead letter. Its JSON is what `dlq list --json` prints.
type letter struct {
	MessageID string `json:"messageId"`
	// Reason is the stable first word of the RejectReason, or "crash"; Detail is for people to read.
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	SentAt time.Time `json:"sentAt"`
	// Attempts is 0 after a crash, when no attempt was counted.
	Attempts int `json:"attempts,omitempty"`
	Bytes    int `json:"bytes"` // size of the body
	CutFrom  int `json:"cutFrom,omitempty"`
	// ID is the Id that the producer gave the message; empty if it gave none or the body can't be read.
	ID string `json:"id,omitempty"`

	message types.Message
}

func readLetter(m types.Message) letter {
	body := aws.ToString(m.Body)
	l := letter{
		MessageID: aws.ToString(m.MessageId), SentAt: sentAt(m), ID: message.IDOf(body), message: m,
		Bytes: len(body) + len(m.MessageAttributes[message.BodyAttribute].BinaryValue),
	}
	dead := message.ReadDeadLetter(func(name string) string { return aws.ToString(m.MessageAttributes[name].StringValue) })
	// A message that SQS moved here itself may carry the reason of an earlier death, left by SQS's own redrive; only
	// the latest death counts.
	if _, moved := m.Attributes[string(types.MessageSystemAttributeNameDeadLetterQueueSourceArn)]; moved {
		dead = message.Crashed()
	}
	l.Reason, l.Detail, l.Attempts, l.CutFrom = string(dead.Reason), dead.Detail, dead.Attempts, dead.CutFrom
	return l
}

// sentAt returns when the message was put on this queue, or on the send queue if SQS moved it from there.
func sentAt(m types.Message) time.Time {
	return timeOf(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)])
}

// timeOf parses a time in Unix milliseconds, as SQS writes it.
func timeOf(text string) time.Time {
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// why formats the reason for people to read.
func (l letter) why() string {
	if l.Detail == "" {
		return plain(l.Reason)
	}
	return plain(l.Reason) + ": " + plain(l.Detail)
}

func (l letter) attempts() string {
	if l.Attempts == 0 {
		return "-"
	}
	return strconv.Itoa(l.Attempts)
}

func (l letter) size() string {
	if l.CutFrom > 0 {
		return fmt.Sprintf("%d of %d", l.Bytes, l.CutFrom)
	}
	return strconv.Itoa(l.Bytes)
}

// age formats a duration in a few characters.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	case d >= time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}

// countsByName formats counts, such as "crash (1), undelivered (3)".
func countsByName(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s (%d)", plain(name), counts[name]))
	}
	return strings.Join(all, ", ")
}
