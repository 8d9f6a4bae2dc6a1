package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
	"heliograph/cost"
	"heliograph/message"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire"
)

// claimDesk is a ClaimStore over a simulated table, through the SDK's own client. Its clock is the bubble's.
type claimDesk struct {
	*ClaimStore
	table *dynamodb.Table
	calls atomic.Int64
	// trouble, if set, answers a call instead of the table, or after it.
	trouble func(call int64, next http.Handler, w http.ResponseWriter, r *http.Request)
}

const window = 10 * time.Minute

func newDesk(t *testing.T) *claimDesk {
	t.Helper()
	database := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	table, err := database.CreateTable(dynamodb.Definition{
		Name: "stack", HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes:     []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}, {Name: "gpk", Type: "S"}, {Name: "gsk", Type: "S"}},
		Indexes:        []dynamodb.Index{{Name: presence.Index, HashKey: "gpk", RangeKey: "gsk", Projection: "KEYS_ONLY"}},
		StreamViewType: "NEW_AND_OLD_IMAGES", // without a TTL, on which nothing here may depend
	})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(database.Service())
	d := &claimDesk{table: table}
	client := awsdynamodb.New(awsdynamodb.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://dynamodb.test"), HTTPClient: inProcess{d.handler(endpoint)},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""), Retryer: newRetryer(),
	})
	d.ClaimStore = NewClaims(client, "stack", window)
	return d
}

// handler counts the calls to the table, and lets trouble answer them.
func (d *claimDesk) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := d.calls.Add(1)
		if d.trouble != nil {
			d.trouble(call, next, w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// by parses an owner: the attempt's token, then, after a slash, the previous attempt's if there was one.
func by(tokens string) Owner {
	token, after, _ := strings.Cut(tokens, "/")
	return Owner{Token: token, After: cmp.Or(after, nobody)}
}

func (d *claimDesk) claim(t *testing.T, target Target, id, owner string) ClaimResult {
	t.Helper()
	result, err := d.Claim(t.Context(), target, id, by(owner))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (d *claimDesk) done(t *testing.T, target Target, id, owner string, delivered, gone int) {
	t.Helper()
	if err := d.Done(t.Context(), target, id, by(owner), delivered, gone); err != nil {
		t.Fatal(err)
	}
}

func (d *claimDesk) release(t *testing.T, target Target, id, owner string) {
	t.Helper()
	if err := d.Release(t.Context(), target, id, by(owner)); err != nil {
		t.Fatal(err)
	}
}

// TestClaim proves the result of a claim after each possible history.
func TestClaim(t *testing.T) {
	t.Parallel()
	alice := userTarget("alice")
	claimed := ClaimResult{State: Claimed}
	tests := []struct {
		name   string
		before func(*testing.T, *claimDesk)
		want   ClaimResult // result of claiming m-1 for alice as b, the attempt after a0
		ends   time.Duration
	}{
		{"nothing", func(*testing.T, *claimDesk) {}, claimed, 0},
		{"another's", func(t *testing.T, d *claimDesk) { d.claim(t, alice, "m-1", "a") }, ClaimResult{State: InFlight}, claimLease},
		{"another's, a moment before its end", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			time.Sleep(claimLease - time.Millisecond)
		}, ClaimResult{State: InFlight}, time.Millisecond},
		{"another's that is over", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			time.Sleep(claimLease)
		}, claimed, 0},
		{"another's, renewed", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			time.Sleep(claimLease / 2)
			d.claim(t, alice, "m-1", "a")
			time.Sleep(claimLease / 2)
		}, ClaimResult{State: InFlight}, claimLease / 2},
		{"its own", func(t *testing.T, d *claimDesk) { d.claim(t, alice, "m-1", "b") }, claimed, 0},
		{"the attempt before", func(t *testing.T, d *claimDesk) { d.claim(t, alice, "m-1", "a0") }, claimed, 0},
		{"the attempt before, which marked it", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a0")
			d.done(t, alice, "m-1", "a0", 1, 0)
		}, claimed, 0},
		{"a copy of its own record", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a0")
			d.claim(t, alice, "m-1", "c/a0")
		}, ClaimResult{State: InFlight}, claimLease},
		{"a copy that delivered", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a0")
			d.claim(t, alice, "m-1", "c/a0")
			d.done(t, alice, "m-1", "c/a0", 1, 0)
		}, ClaimResult{State: Duplicate, Delivered: 1}, 0},
		{"delivered by another", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.done(t, alice, "m-1", "a", 2, 1)
		}, ClaimResult{State: Duplicate, Delivered: 2, Gone: 1}, 0},
		{"marked by the attempt after it", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.done(t, alice, "m-1", "c/a", 3, 0)
		}, ClaimResult{State: Duplicate, Delivered: 3}, 0},
		{"delivered, a moment before the window ends", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			time.Sleep(time.Minute)
			d.done(t, alice, "m-1", "a", 1, 0)
			time.Sleep(window - time.Millisecond)
		}, ClaimResult{State: Duplicate, Delivered: 1}, 0},
		{"delivered longer ago than the window, and not deleted", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.done(t, alice, "m-1", "a", 1, 0)
			time.Sleep(window)
		}, claimed, 0},
		{"released", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.release(t, alice, "m-1", "a")
		}, claimed, 0},
		{"released by the attempt after it", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.release(t, alice, "m-1", "c/a")
		}, claimed, 0},
		{"released by somebody else", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.release(t, alice, "m-1", "c")
		}, ClaimResult{State: InFlight}, claimLease},
		{"released after delivery", func(t *testing.T, d *claimDesk) {
			d.claim(t, alice, "m-1", "a")
			d.done(t, alice, "m-1", "a", 1, 0)
			d.release(t, alice, "m-1", "a")
		}, ClaimResult{State: Duplicate, Delivered: 1}, 0},
		{"of others", func(t *testing.T, d *claimDesk) {
			d.claim(t, userTarget("bob"), "m-1", "a")
			d.claim(t, alice, "m-2", "a")
			d.claim(t, alice, "M-1", "a")
			d.claim(t, connectionTarget("alice"), "m-1", "a")
		}, claimed, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				test.before(t, d)
				want := test.want
				if test.ends > 0 {
					want.Until = time.Now().Add(test.ends)
				}
				if diff := gocmp.Diff(want, d.claim(t, alice, "m-1", "b/a0")); diff != "" {
					t.Errorf("claim (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestClaimLost proves that a delivery that lost its claim is told so, and does not change the new owner's claim.
func TestClaimLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		bob := connectionTarget("L0SM9cOFvHcCIhw=")
		d.claim(t, bob, "m", "slow")
		time.Sleep(claimLease)
		d.claim(t, bob, "m", "next")
		if err := d.Done(t.Context(), bob, "m", by("slow"), 5, 0); !errors.Is(err, ErrClaimLost) {
			t.Errorf("done: %v", err)
		}
		d.release(t, bob, "m", "slow")
		if got := d.claim(t, bob, "m", "third"); got.State != InFlight {
			t.Errorf("the claim is %+v", got)
		}
		d.done(t, bob, "m", "next", 1, 0)
		if got := d.claim(t, bob, "m", "third"); got.State != Duplicate || got.Delivered != 1 {
			t.Errorf("the claim is %+v", got)
		}
		if err := d.Done(t.Context(), bob, "never claimed", by("slow"), 5, 0); !errors.Is(err, ErrClaimLost) {
			t.Errorf("done without a claim: %v", err)
		}
	})
}

// TestClaimRace proves that exactly one of many concurrent claims succeeds, whether the claim is new or expired.
func TestClaimRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for round := range 3 {
			for i := range 10 {
				var claimed, inFlight atomic.Int64
				var claimants sync.WaitGroup
				for owner := range 8 {
					claimants.Go(func() {
						result, err := d.Claim(t.Context(), userTarget("alice"), fmt.Sprint(i), by(fmt.Sprint(owner, " of ", round)))
						switch {
						case err != nil:
							t.Error(err)
						case result.State == Claimed:
							claimed.Add(1)
						case result.State == InFlight:
							inFlight.Add(1)
						}
					})
				}
				claimants.Wait()
				if claimed.Load() != 1 || inFlight.Load() != 7 {
					t.Fatalf("round %d, message %d: %d claimed it, %d found it in flight", round, i, claimed.Load(), inFlight.Load())
				}
			}
			time.Sleep(claimLease)
		}
	})
}

// claimStep is one step of a random history.
type claimStep struct {
	what   string // claim, done, release or wait
	target Target
	owner  string // as parsed by by
	wait   time.Duration
}

// TestClaimHistories proves, for any sequence of steps by several owners, that ClaimStore answers as the in-memory
// fake does, so that the tests that use the fake also hold for the table.
func TestClaimHistories(t *testing.T) {
	t.Parallel()
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) claimStep {
		return claimStep{
			what:   rapid.SampledFrom([]string{"claim", "claim", "done", "release", "wait"}).Draw(t, "what"),
			target: rapid.SampledFrom([]Target{"user#a", "user#b"}).Draw(t, "target"),
			owner:  rapid.SampledFrom([]string{"x", "y/x", "z/x", "z/y", "w"}).Draw(t, "owner"),
			wait:   rapid.SampledFrom([]time.Duration{time.Millisecond, claimLease - time.Millisecond, claimLease, window - claimLease}).Draw(t, "wait"),
		}
	}), 1, 40)
	rapid.Check(t, func(r *rapid.T) {
		history := steps.Draw(r, "steps")
		problem := ""
		synctest.Test(t, func(t *testing.T) { problem = replay(t, history) })
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

// replay performs the steps on both, and reports where they differ.
func replay(t *testing.T, history []claimStep) string {
	d, model := newDesk(t), newClaims()
	for i, s := range history {
		var want, got ClaimResult
		var wantErr, err error
		switch ctx := t.Context(); s.what {
		case "wait":
			time.Sleep(s.wait)
		case "claim":
			want, wantErr = model.Claim(ctx, s.target, "m", by(s.owner))
			got, err = d.Claim(ctx, s.target, "m", by(s.owner))
		case "done":
			wantErr = model.Done(ctx, s.target, "m", by(s.owner), i, 1)
			err = d.Done(ctx, s.target, "m", by(s.owner), i, 1)
		case "release":
			wantErr = model.Release(ctx, s.target, "m", by(s.owner))
			err = d.Release(ctx, s.target, "m", by(s.owner))
		}
		if diff := gocmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			return fmt.Sprintf("step %d, %s by %s: error %v, want %v; (-want +got):\n%s", i, s.what, s.owner, err, wantErr, diff)
		}
	}
	return ""
}

// TestClaimFaults proves that a failing table gives an error, never an answer, and that a call whose response was
// lost may be repeated.
func TestClaimFaults(t *testing.T) {
	t.Parallel()
	broken := func(status int, code string) func(int64, http.Handler, http.ResponseWriter, *http.Request) {
		return func(_ int64, _ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"no"}`, code)
		}
	}
	calls := map[string]func(context.Context, *claimDesk) error{
		"claim": func(ctx context.Context, d *claimDesk) error {
			result, err := d.Claim(ctx, "user#a", "m", by("x"))
			if err == nil || result != (ClaimResult{}) {
				return fmt.Errorf("result %+v, %w", result, err)
			}
			return err
		},
		"done":    func(ctx context.Context, d *claimDesk) error { return d.Done(ctx, "user#a", "m", by("x"), 1, 0) },
		"release": func(ctx context.Context, d *claimDesk) error { return d.Release(ctx, "user#a", "m", by("x")) },
	}
	for name, call := range calls {
		for code, status := range map[string]int{"ThrottlingException": 400, "ProvisionedThroughputExceededException": 400, "AccessDeniedException": 400, "InternalServerError": 500} {
			t.Run(name+" "+code, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t)
					d.claim(t, "user#a", "m", "x")
					d.trouble = broken(status, code)
					var api smithy.APIError
					if err := call(t.Context(), d); !errors.As(err, &api) || api.ErrorCode() != code || errors.Is(err, ErrClaimLost) {
						t.Errorf("%v, want %s", err, code)
					}
				})
			})
		}
	}
}

// TestClaimAnswerLost proves that a call that took effect, but whose response was lost, may be repeated.
func TestClaimAnswerLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.trouble = func(call int64, next http.Handler, w http.ResponseWriter, r *http.Request) {
			if call%2 == 1 {
				next.ServeHTTP(httptest.NewRecorder(), r)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		}
		for range 2 {
			if got := d.claim(t, "user#a", "m", "x"); got.State != Claimed {
				t.Errorf("claim: %+v", got)
			}
			d.release(t, "user#a", "m", "x")
		}
		d.claim(t, "user#a", "m", "x")
		d.done(t, "user#a", "m", "x", 1, 0)
		if got := d.claim(t, "user#a", "m", "y"); got.State != Duplicate || d.calls.Load() != 14 {
			t.Errorf("claim: %+v after %d calls", got, d.calls.Load())
		}
	})
}

// TestClaimsAreNotPresence proves that no claim can pass for a presence item, whatever id a producer chooses: neither
// in a user's partition nor for the filters of the table's stream, which go by the sort key.
func TestClaimsAreNotPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for _, id := range []string{"presence", "conn#L0SM9cOFvHcCIhw=", "m", "user#a"} {
			for _, target := range []Target{userTarget("a"), userTarget("user#a"), userTarget("#"), connectionTarget("conn#a")} {
				d.claim(t, target, id, "x")
				d.done(t, target, id, "x", 1, 0)
				time.Sleep(window)
				d.claim(t, target, id, "y")
				d.release(t, target, id, "y")
			}
		}
		records, err := d.table.Stream().Shards()[0].Read(t.Context(), "", 1000)
		if err != nil || len(records) != 4*16 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for _, r := range records {
			keys, err := json.Marshal(r.Keys)
			if err != nil {
				t.Fatal(err)
			}
			for _, taken := range []string{`"pk":{"S":"user#`, `"sk":{"S":"conn#`, `"sk":{"S":"presence"`} {
				if strings.Contains(string(keys), taken) || !strings.Contains(string(keys), `"pk":{"S":"sent#`) {
					t.Errorf("keys %s", keys)
				}
			}
		}
	})
}

// TestCostOfClaims proves the cost of claims: one call and one write unit each, even for a refused one and with ids
// of the maximum length; and none in the index, where presence counts.
func TestCostOfClaims(t *testing.T) {
	t.Parallel()
	for _, length := range []int{10, heliograph.MaxUserID} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				target, id := userTarget(heliograph.UserID(strings.Repeat("u", length))), strings.Repeat("i", min(length, message.MaxID))
				owner := strings.Repeat("o", 12)
				for _, step := range []struct {
					name string
					do   func()
				}{
					{"claim", func() { d.claim(t, target, id, owner) }},
					{"renew", func() { d.claim(t, target, id, owner) }},
					{"refused", func() { d.claim(t, target, id, "another") }},
					{"release", func() { d.release(t, target, id, owner) }},
					{"claim again", func() { d.claim(t, target, id, owner) }},
					{"done", func() { d.done(t, target, id, owner, 1000, 1000) }},
					{"duplicate", func() { d.claim(t, target, id, "another") }},
				} {
					before, calls := d.table.Usage(), d.calls.Load()
					step.do()
					after := d.table.Usage()
					if wrote, read := after.Table.Write-before.Table.Write, after.Table.Read-before.Table.Read; wrote != cost.Claim.Write || read != cost.Claim.Read || d.calls.Load() != calls+1 {
						t.Errorf("%s took %v write units, %v read units and %d calls, want 1, 0 and 1", step.name, wrote, read, d.calls.Load()-calls)
					}
				}
				if index := d.table.Usage().Indexes[presence.Index]; index != (dynamodb.Units{}) {
					t.Errorf("the index took %+v", index)
				}
			})
		})
	}
}
