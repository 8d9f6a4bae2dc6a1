package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func runStream(t *testing.T, in *invoker, str *stream, c StreamSourceConfig) *StreamSource {
	t.Helper()
	c.Function, c.StreamARN = "f", streamARN
	setDefault(&c.StartingPosition, "TRIM_HORIZON")
	s, err := NewStreamSource(in, str, c)
	if err != nil {
		t.Fatal(err)
	}
	go s.Run(t.Context())
	synctest.Wait()
	return s
}

// poison is a function that fails whenever a given record is in the batch.
func poison(sequence string) func([]byte) (Result, error) {
	return func(event []byte) (Result, error) {
		if strings.Contains(string(event), fmt.Sprintf(`"SequenceNumber":%q`, sequence)) {
			return broken, nil
		}
		return Result{Payload: []byte("null")}, nil
	}
}

func TestStreamSourceBatchesAndPositions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		position string
		size     int
		want     []string
	}{
		"from the horizon":   {"TRIM_HORIZON", 0, []string{"1 2 3 4 5", "6"}},
		"in small batches":   {"TRIM_HORIZON", 2, []string{"1 2", "3 4", "5", "6"}},
		"only what is newer": {"LATEST", 0, []string{"6"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in, str := &invoker{}, newStream(5)
				s := runStream(t, in, str, StreamSourceConfig{StartingPosition: tt.position, BatchSize: tt.size})
				str.append("6", time.Now())
				synctest.Wait()
				s.Close()
				if diff := cmp.Diff(tt.want, in.calls(t)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestStreamSourceHandlesItemsSideBySide proves that, with a parallelization factor, a failing record holds up only its
// own item and those that share its lane, and that each item's records are handled in order.
// TestStreamSourceTellsWhatIsHandled proves that a record counts as handled only when the function has succeeded with it,
// not when it is read, and not when the source stops while it is retried.
func TestStreamSourceTellsWhatIsHandled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, str := &invoker{do: poison("3")}, newStream(2)
		s := runStream(t, in, str, StreamSourceConfig{})
		if got := s.Handled()["shard-1"]; got != "2" {
			t.Errorf("handled up to %q, want 2", got)
		}
		str.append("3", time.Now())
		synctest.Wait()
		s.Close()
		if got := s.Handled()["shard-1"]; got != "2" {
			t.Errorf("handled up to %q, want 2", got)
		}
	})
}

func TestStreamSourceHandlesItemsSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, str := &invoker{do: poison("1")}, newStream(6)
		for i, item := range []string{"a", "b", "a", "b", "b", "a"} { // the two fall into different lanes
			str.records[i].Item = item
		}
		s := runStream(t, in, str, StreamSourceConfig{ParallelizationFactor: 2, BatchSize: 2})
		s.Close()
		synctest.Wait()
		calls := in.calls(t)
		slices.Sort(calls)
		if diff := cmp.Diff([]string{"1", "2", "4", "5"}, calls); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamSourceWaitsForABatchWithinItsWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, str := &invoker{}, newStream(1)
		s := runStream(t, in, str, StreamSourceConfig{BatchingWindow: 5 * time.Second, BatchSize: 3})
		time.Sleep(2 * time.Second)
		str.append("2", time.Now())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(in.calls(t)) != 0 {
			t.Error("the batch was sent before its window had passed")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range 3 {
			str.append(fmt.Sprint(i+3), time.Now())
		}
		synctest.Wait()
		s.Close()
		if diff := cmp.Diff([]string{"1 2", "3 4 5"}, in.calls(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestStreamSourceRetries proves that a failing batch holds up the shard until it succeeds or is given up.
func TestStreamSourceRetries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config StreamSourceConfig
		do     func([]byte) (Result, error)
		want   []string
		gaveUp []string // "<condition> <first>-<last> x<attempts>"
	}{
		"again and again": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(2)}, do: poison("2"),
			want: []string{"1 2 3 4", "1 2 3 4", "1 2 3 4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 1-4 x3"},
		},
		"not at all": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(0)}, do: poison("2"),
			want: []string{"1 2 3 4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 1-4 x1"},
		},
		"by halves": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(1), BisectOnError: true}, do: poison("2"),
			want: []string{"1 2 3 4", "1 2", "1", "2", "2", "3 4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 2-2 x2"},
		},
		"from the one that failed": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(1), ReportBatchItemFailures: true},
			do: func(event []byte) (Result, error) {
				if strings.Contains(string(event), `"SequenceNumber":"3"`) {
					return Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"4"},{"itemIdentifier":"3"}]}`)}, nil
				}
				return Result{Payload: []byte(`{"batchItemFailures":[]}`)}, nil
			},
			want: []string{"1 2 3 4", "3 4", "3 4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 3-4 x2"},
		},
		"by halves from the one that failed": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(0), ReportBatchItemFailures: true, BisectOnError: true},
			do: func(event []byte) (Result, error) {
				if strings.Contains(string(event), `"SequenceNumber":"3"`) {
					return Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"3"}]}`)}, nil
				}
				return Result{Payload: []byte(`{}`)}, nil
			},
			want: []string{"1 2 3 4", "3 4", "3", "4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 3-3 x1"},
		},
		"by an answer that can't be read": {
			config: StreamSourceConfig{MaximumRetryAttempts: new(1), ReportBatchItemFailures: true},
			do: func(event []byte) (Result, error) {
				if strings.Contains(string(event), `"SequenceNumber":"1"`) {
					return Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"x"}]}`)}, nil
				}
				return Result{Payload: []byte(`{}`)}, nil
			},
			want: []string{"1 2 3 4", "1 2 3 4", "5"}, gaveUp: []string{"RetryAttemptsExhausted 1-4 x2"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var gaveUp []string
				tt.config.OnFailure = "arn:failed"
				tt.config.Deliver = func(_ context.Context, destination string, record []byte) error {
					gaveUp = append(gaveUp, describeFailure(t, destination, record))
					return nil
				}
				in, str := &invoker{do: tt.do}, newStream(4)
				s := runStream(t, in, str, tt.config)
				time.Sleep(time.Minute)
				str.append("5", time.Now())
				synctest.Wait()
				s.Close()
				if diff := cmp.Diff(tt.want, in.calls(t)); diff != "" {
					t.Errorf("batches: %s", diff)
				}
				if diff := cmp.Diff(tt.gaveUp, gaveUp); diff != "" {
					t.Errorf("given up: %s", diff)
				}
			})
		})
	}
}

func describeFailure(t *testing.T, destination string, record []byte) string {
	t.Helper()
	var v struct {
		RequestContext struct {
			Condition, FunctionArn string
			ApproximateInvokeCount int
		}
		DDBStreamBatchInfo struct {
			ShardID, StartSequenceNumber, EndSequenceNumber, StreamArn string
			BatchSize                                                  int
		}
	}
	if err := json.Unmarshal(record, &v); err != nil {
		t.Fatal(err)
	}
	b := v.DDBStreamBatchInfo
	if destination != "arn:failed" || v.RequestContext.FunctionArn != functionARN || b.ShardID != "shard-1" || b.StreamArn != streamARN || b.BatchSize == 0 {
		t.Errorf("to %s: %s", destination, record)
	}
	return fmt.Sprintf("%s %s-%s x%d", v.RequestContext.Condition, b.StartSequenceNumber, b.EndSequenceNumber, v.RequestContext.ApproximateInvokeCount)
}

func TestStreamSourcePausesBetweenTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tried []time.Duration
		in := &invoker{do: func([]byte) (Result, error) {
			tried = append(tried, time.Since(began))
			switch {
			case len(tried) == 3:
				return Result{}, throttle // not an attempt, but followed by a pause
			case len(tried) < 9:
				return broken, nil
			}
			return Result{}, nil
		}}
		s := runStream(t, in, newStream(1), StreamSourceConfig{MaximumRetryAttempts: new(7)})
		time.Sleep(10 * time.Minute)
		s.Close()
		seconds := []int{0, 1, 3, 7, 15, 31, 63, 123, 183}
		var want []time.Duration
		for _, n := range seconds {
			want = append(want, time.Duration(n)*time.Second)
		}
		if diff := cmp.Diff(want, tried); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamSourceGivesUpWhatIsTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gaveUp []string
		in, str := &invoker{do: poison("1")}, newStream(1)
		s := runStream(t, in, str, StreamSourceConfig{
			MaximumRecordAge: time.Minute, OnFailure: "arn:failed",
			Deliver: func(_ context.Context, destination string, record []byte) error {
				gaveUp = append(gaveUp, describeFailure(t, destination, record))
				return nil
			},
		})
		time.Sleep(10 * time.Minute)
		str.append("2", time.Now())
		synctest.Wait()
		s.Close()
		calls := in.calls(t)
		if len(calls) < 3 || calls[len(calls)-1] != "2" || slices.Contains(calls[:len(calls)-1], "2") {
			t.Errorf("the batches were %v", calls)
		}
		if want := fmt.Sprintf("RecordAgeExceeded 1-1 x%d", len(calls)-1); len(gaveUp) != 1 || gaveUp[0] != want {
			t.Errorf("given up: %v, want %s", gaveUp, want)
		}
	})
}

func TestStreamSourceFiltersAndPassesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, str := &invoker{}, newStream(3)
		s := runStream(t, in, str, StreamSourceConfig{BatchSize: 1, Filters: []string{`{"dynamodb":{"SequenceNumber":["2"]}}`}})
		s.Close()
		if diff := cmp.Diff([]string{"2"}, in.calls(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamSourceGoesOnAtTheHorizonAfterALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, str := &invoker{}, newStream(1)
		s := runStream(t, in, str, StreamSourceConfig{})
		str.mu.Lock()
		str.records = nil
		str.mu.Unlock()
		str.append("9", time.Now())
		time.Sleep(time.Minute)
		s.Close()
		if diff := cmp.Diff([]string{"1", "9"}, in.calls(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamSourceTellsTheAgeOfWhatItReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ages []time.Duration
		str := newStream(0)
		str.append("1", time.Now().Add(-time.Hour))
		s := runStream(t, &invoker{}, str, StreamSourceConfig{IteratorAge: func(age time.Duration) { ages = append(ages, age) }})
		s.Close()
		if diff := cmp.Diff([]time.Duration{time.Hour}, ages); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStreamSourceRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*StreamSourceConfig){
		"unknown function":     func(c *StreamSourceConfig) { c.Function = "g" },
		"no stream":            func(c *StreamSourceConfig) { c.StreamARN = queueARN },
		"no position":          func(c *StreamSourceConfig) { c.StartingPosition = "" },
		"other position":       func(c *StreamSourceConfig) { c.StartingPosition = "AT_TIMESTAMP" },
		"many lanes":           func(c *StreamSourceConfig) { c.ParallelizationFactor = 11 },
		"large batch":          func(c *StreamSourceConfig) { c.BatchSize = 10001 },
		"long window":          func(c *StreamSourceConfig) { c.BatchingWindow = 301 * time.Second },
		"many retries":         func(c *StreamSourceConfig) { c.MaximumRetryAttempts = new(10001) },
		"young records":        func(c *StreamSourceConfig) { c.MaximumRecordAge = time.Second },
		"no one to deliver to": func(c *StreamSourceConfig) { c.OnFailure = "arn:x" },
		"odd filter":           func(c *StreamSourceConfig) { c.Filters = []string{`{}`} },
	} {
		c := StreamSourceConfig{Function: "f", StreamARN: streamARN, StartingPosition: "LATEST"}
		change(&c)
		if _, err := NewStreamSource(&invoker{}, newStream(0), c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
