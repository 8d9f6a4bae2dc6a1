package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// TestRedrive proves that messages go back as their producers sent them, selected by id or by reason.
func TestRedrive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.bury(t, "nonsense", "malformed: nonsense")
		body := `{"UserId":"u","Body":"b","Id":"order-7"}`
		id := b.bury(t, body, "undelivered: tried", "HeliographOwed", `{"owed":1}`, "tenant", "acme")
		redrive := dlqRedriveCommand{Picked: dlqPicked{IDs: []string{id, "nobody", id}}, Rate: 10}
		wantError(t, redrive.redrive(t.Context(), b.world, b.queue), "not found in http://sqs.test/123456789012/dead: nobody.")
		messages := visible(t, b.send)
		if len(messages) != 1 || messages[0].Body != body {
			t.Fatalf("on the send queue: %v", messages)
		}
		want := map[string]sqs.MessageAttribute{"HeliographOwed": text(`{"owed":1}`), "tenant": text("acme")}
		if diff := gocmp.Diff(want, messages[0].MessageAttributes); diff != "" {
			t.Error(diff)
		}
		if got := messages[0].Attributes["AWSTraceHeader"]; got != "Root=1-5759e988-bd862e3fe1be46a994272793" {
			t.Errorf("the trace is %q", got)
		}
		if got := messages[0].Attributes["MessageGroupId"]; got != "acme" {
			t.Errorf("the group is %q", got)
		}
		if !strings.Contains(b.out.String(), "redriven\t"+id+"\torder-7\tundelivered: tried\n1 redriven\n") {
			t.Errorf("printed %q", b.out)
		}
		all := dlqRedriveCommand{Picked: dlqPicked{All: true, Reason: "undelivered"}, Rate: 10}
		wantError(t, all.redrive(t.Context(), b.world, b.queue), "has the reason undelivered; there are: malformed (1)")
		b.nothingHidden(t)
		if got := visible(t, b.dead); len(got) != 1 || got[0].Body != "nonsense" {
			t.Errorf("in the dead-letter queue: %v", got)
		}
	})
}

// TestAllSaysWhatIsHidden proves that --all reports the messages that were hidden from it.
func TestAllSaysWhatIsHidden(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.buryMany(t, 5)
		if _, err := b.dead.Receive(t.Context(), 2, 0); err != nil {
			t.Fatal(err)
		}
		drop := dlqDropCommand{Picked: dlqPicked{All: true}, Yes: true}
		wantError(t, drop.drop(t.Context(), b.world, b.queue), "")
		if got, want := b.err.String(), "about 2 more are hidden: another reader has received them\n"; got != want || !strings.HasSuffix(b.out.String(), "3 dropped\n") {
			t.Errorf("the command says %q, want %q\n%s", got, want, b.out)
		}
	})
}

// TestRedriveKeepsItsPace proves that redrive keeps to its rate.
func TestRedriveKeepsItsPace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.buryMany(t, 100)
		time.Sleep(time.Second)
		began := time.Now()
		redrive := dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 20}
		if err := redrive.redrive(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		// One second passes before the first message, which the pace makes use of, and one in the final receive, which waits and returns nothing.
		if took := time.Since(began); took < 6900*time.Millisecond || took > 7500*time.Millisecond {
			t.Errorf("100 messages at 20 a second took %v, want about 7s", took)
		}
		if got := numbers(t, visible(t, b.send)); len(got) != 100 || len(slices.Compact(got)) != 100 {
			t.Errorf("%d messages are on the send queue, want each of 100 once: %v", len(got), got)
		}
	})
}

// TestRedriveLosesNothing proves that, whatever call fails, each message is in at least one of the queues, and in
// both only if it was sent but could not be deleted.
func TestRedriveLosesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		fault      func(stop func()) func(string, int) error
		both       int
		redriven   int // 0 means any number
	}{
		{"sends fail", "3 failed, and are still in http://sqs.test/123456789012/dead", func(func()) func(string, int) error {
			return fails("SendMessage", 3, 4, 21)
		}, 0, 22},
		{"deletes fail", "2 failed", func(func()) func(string, int) error { return fails("DeleteMessage", 1, 13) }, 2, 25},
		{"reading fails", "read messages of", func(func()) func(string, int) error { return fails("ReceiveMessage", 2) }, 0, 10},
		{"interrupted at a send", "interrupted: all others are still in", interruptAt("SendMessage", 7), 0, 7},
		{"interrupted at a delete", "interrupted", interruptAt("DeleteMessage", 12), 0, 12},
		{"interrupted at a receive", "interrupted", interruptAt("ReceiveMessage", 3), 0, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				b.buryMany(t, 25)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				b.fault = tt.fault(stop)
				redrive := dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 10}
				wantError(t, redrive.redrive(ctx, b.world, b.queue), tt.want)
				b.nothingHidden(t)
				alive, dead := numbers(t, visible(t, b.send)), numbers(t, visible(t, b.dead))
				if len(alive) != tt.redriven || len(alive)+len(dead) != 25+tt.both {
					t.Errorf("%d were sent and %d are left, want %d sent and %d in both queues", len(alive), len(dead), tt.redriven, tt.both)
				}
				if all := slices.Compact(slices.Sorted(slices.Values(append(alive, dead...)))); len(all) != 25 {
					t.Errorf("only %d of 25 messages are anywhere: %v", len(all), all)
				}
			})
		})
	}
}

func interruptAt(action string, n int) func(func()) func(string, int) error {
	return func(stop func()) func(string, int) error {
		return func(called string, calls int) error {
			if called == action && calls == n {
				stop()
			}
			return nil
		}
	}
}

// TestRedriveEnds proves that messages dying again during the command do not keep it running.
func TestRedriveEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		b.buryMany(t, 5)
		time.Sleep(time.Second)
		var again []string
		b.fault = func(action string, n int) error {
			if action == "SendMessage" && n <= 50 {
				again = append(again, b.bury(t, `{"UserId":"u","Body":"b","Id":"again"}`, "undelivered: again"))
			}
			return nil
		}
		redrive := dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 10}
		if err := redrive.redrive(t.Context(), b.world, b.queue); err != nil {
			t.Fatal(err)
		}
		if len(again) != 5 || !strings.Contains(b.err.String(), "5 came after the start and were left alone") {
			t.Errorf("%d died again; printed %q", len(again), b.err)
		}
	})
}

// TestSkewedClocks proves that --all takes exactly the messages that were there at the start, whatever the operator's clock
// says: those that die again during a redrive, and those that come during a drop, stay.
func TestSkewedClocks(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-24 * time.Hour, -10 * time.Minute, -time.Second, 0, time.Second, 10 * time.Minute, 24 * time.Hour} {
		for name, command := range map[string]func(*bench, context.Context) error{
			"redrive": func(b *bench, ctx context.Context) error {
				return new(dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 10}).redrive(ctx, b.world, b.queue)
			},
			"drop": func(b *bench, ctx context.Context) error {
				return new(dlqDropCommand{Picked: dlqPicked{All: true}, Yes: true}).drop(ctx, b.world, b.queue)
			},
		} {
			t.Run(fmt.Sprint(name, " at ", skew), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, b *bench) {
					b.now = func() time.Time { return time.Now().Add(skew) }
					time.Sleep(300 * time.Millisecond) // within a second, which Date does not show
					b.buryMany(t, 20)
					b.fault = func(action string, n int) error {
						if (action == "SendMessage" || action == "DeleteMessage") && n <= 200 {
							b.bury(t, `{"UserId":"u","Body":"b","Id":"again"}`, "undelivered: again")
						}
						return nil
					}
					if err := command(b, t.Context()); err != nil {
						t.Fatal(err)
					}
					if taken := strings.Count(b.out.String(), "undelivered: tried"); taken != 20 || strings.Contains(b.out.String(), "again") {
						t.Errorf("%d of 20 were taken, and these:\n%s", taken, b.out)
					}
				})
			})
		}
	}
}

// TestNothingTaken proves that a command that took nothing of what is there says so by its error.
func TestNothingTaken(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*testing.T, *bench){
		"all came later": func(t *testing.T, b *bench) {
			b.fault = func(action string, n int) error {
				if action == "ReceiveMessage" && n == 1 {
					b.buryMany(t, 3)
				}
				return nil
			}
		},
		"all are hidden": func(t *testing.T, b *bench) {
			b.buryMany(t, 3)
			visible(t, b.dead)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				arrange(t, b)
				redrive := dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 10}
				wantError(t, redrive.redrive(t.Context(), b.world, b.queue), "nothing was taken from http://sqs.test/123456789012/dead")
			})
		})
	}
	inBubble(t, func(t *testing.T, b *bench) {
		if err := new(dlqDropCommand{Picked: dlqPicked{All: true}, Yes: true}).drop(t.Context(), b.world, b.queue); err != nil {
			t.Errorf("an empty queue: %v", err)
		}
	})
}

// TestCutMessagesStay proves that messages with cut bodies are not sent, and are reported.
func TestCutMessagesStay(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		id := b.bury(t, "{ half", "malformed: no", "CutFrom", "300000")
		for _, picked := range []dlqPicked{{All: true}, {IDs: []string{id}}} {
			redrive := dlqRedriveCommand{Picked: picked, Rate: 10}
			wantError(t, redrive.redrive(t.Context(), b.world, b.queue), "1 in http://sqs.test/123456789012/dead can't be redriven")
		}
		if len(visible(t, b.send)) != 0 || len(visible(t, b.dead)) != 1 {
			t.Error("the message did not stay where it was")
		}
	})
}

// TestDeliveredAgain proves that a message delivered twice by SQS within a run is sent only once, whether or not it
// could be deleted, and that a copy arriving after the delete is deleted too.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(string, int) error{"deleted": nil, "not deleted": fails("DeleteMessage", 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *bench) {
				b.again, b.fault = true, fault
				b.bury(t, `{"Id":"1"}`, "undelivered: tried")
				redrive := dlqRedriveCommand{Picked: dlqPicked{All: true}, Rate: 1}
				b.buryMany(t, 20) // keeps the walk going until the message is delivered again
				_ = redrive.redrive(t.Context(), b.world, b.queue)
				if got := numbers(t, visible(t, b.send)); len(got) != 21 {
					t.Errorf("%d messages were sent, want 21", len(got))
				}
				if want := 22; fault == nil && b.calls["DeleteMessage"] < want {
					t.Errorf("%d deletes, want %d or more: some message came again and was not deleted", b.calls["DeleteMessage"], want)
				}
			})
		})
	}
}

// TestDrop proves that nothing is deleted without --yes, that only selected messages are deleted with it, and that
// each is named.
func TestDrop(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bench) {
		nonsense := b.bury(t, "nonsense", "malformed: nonsense")
		b.buryMany(t, 12)
		drop := dlqDropCommand{Picked: dlqPicked{All: true, Reason: "malformed"}}
		wantError(t, drop.drop(t.Context(), b.world, b.queue), "nothing was dropped: add --yes")
		if got := b.dead.Stats().Visible; got != 13 || !strings.Contains(b.out.String(), "would be dropped\t"+nonsense) {
			t.Errorf("%d messages are left; printed %q", got, b.out)
		}
		drop.Yes = true
		if err := drop.drop(t.Context(), b.world, b.queue); err != nil {
			t.Error(err)
		}
		if got := b.dead.Stats().Visible; got != 12 || !strings.Contains(b.out.String(), "\ndropped\t"+nonsense+"\t\tmalformed: nonsense\n1 dropped\n") {
			t.Errorf("%d messages are left; printed %q", got, b.out)
		}
		b.fault = fails("DeleteMessage", 2, 5)
		drop.Picked = dlqPicked{All: true}
		wantError(t, drop.drop(t.Context(), b.world, b.queue), "2 failed")
		b.nothingHidden(t)
		if got := b.dead.Stats().Visible; got != 2 {
			t.Errorf("%d messages are left, want 2", got)
		}
	})
}
