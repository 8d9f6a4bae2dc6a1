package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// TestList proves which messages a list shows and which it omits, and that none stays hidden afterwards.
func TestList(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		crashed, err := b.send.Send(sqs.Outgoing{Body: `{"id":"crashed","Body":"secret"}`, Attributes: map[string]sqs.MessageAttribute{"RejectReason": text("malformed: of a life before")}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second receive moves it to the dead-letter queue
			if _, err := b.send.Receive(t.Context(), 1, 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		silent := b.bury(t, "secret \x7f", "")
		time.Sleep(50 * time.Hour)
		nonsense := b.bury(t, "nonsense, secret", "malformed: not valid JSON at byte 2")
		time.Sleep(time.Millisecond)
		cut := b.bury(t, "{ secret", "body-too-large: Body has 300000 bytes", "CutFrom", "300000")
		time.Sleep(90*time.Second + 500*time.Millisecond)
		failed := b.bury(t, `{"UserId":"u","Body":"secret","Id":"order-7\u001b[2J"}`, "undelivered: 1 connection owed")

		if err := new(dlqListCommand{Limit: 100}).list(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		want := `MESSAGE                               AGE     ATTEMPTS  BYTES        ID                   REASON
` + string(crashed.MessageID) + `  2d2h    -         32           crashed              crash: moved here by the queue itself, because send died whenever it had the message
` + silent + `  2d2h    -         8                                 crash: moved here by the queue itself, because send died whenever it had the message
` + nonsense + `  1m31s   3         16                                malformed: not valid JSON at byte 2
` + cut + `  1m30s   3         8 of 300000                       body-too-large: Body has 300000 bytes
` + failed + `  0s      3         54           "order-7\x1b[2J"     undelivered: 1 connection owed
`
		if diff := gocmp.Diff(strings.Fields(want), strings.Fields(b.out.String())); diff != "" || strings.Contains(b.out.String(), "secret") {
			t.Errorf("%s\n%s", b.out, diff)
		}
		b.nothingHidden(t)
	})
}

// TestListAsJSON proves the machine-readable form, filtered by reason.
func TestListAsJSON(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.bury(t, "nonsense", "malformed: nonsense")
		id := b.bury(t, `{"UserId":"u","Body":"secret","Id":"order-7"}`, "undelivered: a: b")
		list := new(dlqListCommand{Limit: 100, Reason: "undelivered", JSON: true})
		if err := list.list(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		want := `[{"messageId":"` + id + `","reason":"undelivered","detail":"a: b","sentAt":"2000-01-01T00:00:00Z","attempts":3,"bytes":45,"id":"order-7"}]` + "\n"
		if diff := gocmp.Diff(want, b.out.String()); diff != "" {
			t.Error(diff)
		}
		b.out.Reset()
		list.Reason = "crash"
		if err := list.list(t.Context(), b.world, b.queue); err != nil || b.out.String() != "[]\n" {
			t.Errorf("a list of nothing: %q, %v", b.out, err)
		}
	})
}

// TestListSaysWhatItDoesNotShow proves that a partial list says that it is partial.
func TestListSaysWhatItDoesNotShow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.buryMany(t, 37)
		if _, err := b.dead.Receive(t.Context(), 2, 0); err != nil {
			t.Fatal(err)
		}
		if err := new(dlqListCommand{Limit: 12}).list(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.out.String(), "undelivered"); got != 12 {
			t.Errorf("%d are listed, want 12", got)
		}
		want := "about 23 more are there: raise --limit, which is 12\nabout 2 more are hidden: another reader has received them\n"
		if diff := gocmp.Diff(want, b.err.String()); diff != "" {
			t.Error(diff)
		}
		if stats := b.dead.Stats(); stats.NotVisible != 2 {
			t.Errorf("%d messages are hidden, want the 2 that somebody else has", stats.NotVisible)
		}
	})
}

// TestListOfNothing proves that an empty list explains why it is empty.
func TestListOfNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, buried, reason, want string }{
		{"empty queue", "", "", "there is nothing to see in http://sqs.test/123456789012/dead\n"},
		{"all hidden", "taken", "", "there is nothing to see in http://sqs.test/123456789012/dead\nabout 1 more are hidden: another reader has received them\n"},
		{"other reasons", "there", "crash", "no message in http://sqs.test/123456789012/dead has the reason crash; there are: undelivered (1)\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				if tt.buried != "" {
					b.bury(t, "{}", "undelivered: tried")
				}
				if tt.buried == "taken" {
					visible(t, b.dead)
				}
				if err := (&dlqListCommand{Limit: 100, Reason: tt.reason}).list(t.Context(), b.world, b.queue); err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(tt.want, b.err.String()); diff != "" || b.out.Len() > 0 {
					t.Errorf("%s\n%s", b.out, diff)
				}
			})
		})
	}
}

// TestLostAnswer proves that a command reports messages that it can't release because the receive's response was
// lost. The SDK retries such a call without a word.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*bench, context.Context, string) error{
		"list": func(b *bench, ctx context.Context, _ string) error {
			return new(dlqListCommand{Limit: 100}).list(ctx, b.world, b.queue)
		},
		"redrive": func(b *bench, ctx context.Context, _ string) error {
			return new(dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 100}).redrive(ctx, b.world, b.queue)
		},
		"show": func(b *bench, ctx context.Context, id string) error {
			return new(dlqShowCommand{ID: id}).show(ctx, b.world, b.queue)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				b.buryMany(t, 12)
				last := b.bury(t, "{}", "undelivered: tried")
				b.fault = func(action string, n int) error {
					if action == "ReceiveMessage" && n == 1 {
						return wire.ErrAnswerLost
					}
					return nil
				}
				if err := command(b, t.Context(), last); err != nil {
					t.Error(err)
				}
				if want := "an answer of SQS was lost: up to 10 messages of http://sqs.test/123456789012/dead stay hidden for up to 1m"; !strings.HasPrefix(b.err.String(), want) {
					t.Errorf("the command says %q, want %q", b.err, want)
				}
				if got := b.dead.Stats().NotVisible; got != 10 {
					t.Errorf("%d messages are hidden, want the 10 of the lost answer", got)
				}
			})
		})
	}
}

// TestListGivesBack proves that a list releases the messages it read when it is interrupted or a read fails, and that
// it says so if it can't.
func TestListGivesBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		hidden     int
		fault      func(stop func()) func(string, int) error
	}{
		{"interrupted", "interrupted", 0, func(stop func()) func(string, int) error {
			return func(action string, n int) error {
				if action == "ReceiveMessage" && n == 2 {
					stop()
				}
				return nil
			}
		}},
		{"reading fails", "read messages of http://sqs.test/123456789012/dead", 0, func(func()) func(string, int) error { return fails("ReceiveMessage", 2) }},
		{"giving back fails", "10 messages of http://sqs.test/123456789012/dead stay hidden for up to 1m", 10, func(func()) func(string, int) error {
			return fails("ChangeMessageVisibilityBatch", 1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				b.buryMany(t, 25)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				b.fault = tt.fault(stop)
				wantError(t, new(dlqListCommand{Limit: 100}).list(ctx, b.world, b.queue), tt.want)
				if got := b.dead.Stats().NotVisible; got != tt.hidden {
					t.Errorf("%d messages are still hidden, want %d", got, tt.hidden)
				}
			})
		})
	}
}

// TestShow proves that a message is shown in full, but its body only on request.
func TestShow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.buryMany(t, 15)
		id := b.bury(t, "{ secret\n}", "malformed: no", "HeliographOwed", `{"owed":1}`, "tenant", "acme\x7f")
		time.Sleep(time.Minute)
		if err := new(dlqShowCommand{ID: id}).show(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"message " + id, "reason malformed: no", "attempts 3", "bytes 10", "SentTimestamp 2000-01-01T00:00:00.000Z (1m1s ago)",
			"AWSTraceHeader Root=1-", `attribute HeliographOwed String {"owed":1}`, `attribute tenant String "acme\x7f"`,
		} {
			if got := strings.Join(strings.Fields(b.out.String()), " "); !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, b.out)
			}
		}
		if strings.Contains(b.out.String(), "secret") {
			t.Errorf("the body is shown, though nobody asked for it:\n%s", b.out)
		}
		if err := new(dlqShowCommand{ID: id, Body: true}).show(t.Context(), b.world, b.queue); err != nil || !strings.HasSuffix(b.out.String(), "\n\n{ secret\n}\n") {
			t.Errorf("with --body, %v:\n%s", err, b.out)
		}
		wantError(t, new(dlqShowCommand{ID: "nobody"}).show(t.Context(), b.world, b.queue), "not found in http://sqs.test/123456789012/dead: nobody")
		b.nothingHidden(t)
	})
}

// TestWrongCommandLines proves that an invalid command line is refused before any call to AWS, with a hint at a valid
// one.
func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"dlq redrive":                          "name messages by their ids, or all by --all",
		"dlq drop --yes":                       "name messages by their ids, or all by --all",
		"dlq redrive a --all":                  "exclude each other",
		"dlq drop a --reason malformed":        "--reason goes with --all",
		"dlq redrive --all --rate 0":           "it must be 0.1 to 1000",
		"dlq list --limit 0":                   "it must be at least 1",
		"dlq show":                             "message-id",
		"--target /nowhere/x dlq list":         "heliograph local",
		"dlq redrive --all --reason a --rate ": "rate",
	} {
		var stdout, stderr bytes.Buffer
		w := world{stdout: &stdout, stderr: &stderr, now: time.Now}
		if code := run(t.Context(), w, strings.Fields(arguments)); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("heliograph %s: exit code %d, %q; want %q", arguments, code, &stderr, want)
		}
	}
}

// TestHideFor proves that messages stay hidden for as long as the work takes, within SQS's limits.
func TestHideFor(t *testing.T) {
	t.Parallel()
	got := map[string]time.Duration{}
	for _, tt := range []struct {
		n    int
		rate float64
	}{{0, 10}, {1000, 10}, {1000, 1e9}, {0, 0.1}, {1e9, 0.1}} {
		got[fmt.Sprint(tt.n, " at ", tt.rate)] = hideFor(tt.n, tt.rate)
	}
	want := map[string]time.Duration{
		"0 at 10": 61 * time.Second, "1000 at 10": 170 * time.Second, "1000 at 1e+09": 70 * time.Second,
		"0 at 0.1": 160 * time.Second, "1000000000 at 0.1": 12 * time.Hour,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAge proves that ages stay short.
func TestAge(t *testing.T) {
	t.Parallel()
	ages := map[time.Duration]string{
		-time.Second: "0s", 1500 * time.Millisecond: "1s", 90 * time.Second: "1m30s", 3 * time.Hour: "3h0m",
		26*time.Hour + 5*time.Minute + time.Second: "26h5m", 50 * time.Hour: "2d2h",
	}
	for _, d := range slices.Sorted(maps.Keys(ages)) {
		if got := age(d); got != ages[d] {
			t.Errorf("%v is %q, want %q", d, got, ages[d])
		}
	}
}
