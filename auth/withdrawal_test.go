package auth

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/golang-jwt/jwt/v5"
)

// withdrawal is a source of keys that a test breaks and mends, with a token that its keys verify.
type withdrawal struct {
	*Verifier
	*clock
	token      Token
	breaks     func()
	mends      func()
	definite   bool // whether the broken source says that there are no keys any more
	unanswered func()
}

// admits verifies the token and compares: either it passes, or the keys can't be read, which is no rejection.
func (w withdrawal) admits(t *testing.T, when string, want bool) {
	t.Helper()
	_, err := w.Verify(context.Background(), w.token)
	if got := err == nil; got != want || (err != nil && !strings.HasPrefix(string(reasonOf(err)), "no rejection")) {
		t.Errorf("%s: Verify = %v, want passed: %v", when, err, want)
	}
}

// secretWithdrawals are the ways in which a secret can end or become unreadable.
func secretWithdrawals(t *testing.T) map[string]withdrawal {
	code := func(c string) func(bench) {
		return func(b bench) { b.Fail(&smithy.GenericAPIError{Code: c}) }
	}
	all := map[string]withdrawal{}
	add := func(name string, definite bool, breaks func(bench)) {
		b := newBench("", map[string]string{parameter: secret})
		all["secret "+name] = withdrawal{
			b.Verifier, b.clock, hs256(t, secret, longLived),
			func() { breaks(b) },
			func() { b.Fail(nil); b.Set(parameter, secret) },
			definite,
			func() { b.Fail(context.DeadlineExceeded) },
		}
	}
	add("deleted", true, func(b bench) { b.Remove(parameter) })
	add("overwritten", true, func(b bench) { b.Set(parameter, "short") })
	add("emptied", true, func(b bench) { b.Set(parameter, "") })
	add("without its KMS key", true, code("InvalidKeyId"))
	add("forbidden", false, code("AccessDeniedException"))
	add("throttled", false, code("ThrottlingException"))
	add("behind a server fault", false, code("InternalServerError"))
	add("behind an expired credential", false, code("ExpiredTokenException"))
	add("without an answer", false, func(b bench) { b.Fail(context.DeadlineExceeded) })
	add("without a network", false, func(b bench) { b.Fail(errors.New("connection refused")) })
	return all
}

// publishedWithdrawals are the ways in which published keys can end or become unreadable.
func publishedWithdrawals(t *testing.T) map[string]withdrawal {
	good := publish("ed", edKey().Public())
	all := map[string]withdrawal{}
	add := func(name string, definite bool, status int, body string) {
		i, v, c := newIssuer(t, good)
		all["key set "+name] = withdrawal{
			v, c, sign(t, jwt.SigningMethodEdDSA, edKey(), longLived, map[string]any{"kid": "ed"}),
			func() { i.Answer(status, body) },
			func() { i.Publish(good) },
			definite,
			func() { i.Answer(http.StatusGatewayTimeout, "") },
		}
	}
	add("emptied", true, 200, `{"keys":[]}`)
	add("for encryption only", true, 200, `{"keys":[`+string(must(json.Marshal(good.but(member{"use": "enc"}))))+`]}`)
	add("of keys too weak", true, 200, `{"keys":[{"kty":"RSA","kid":"ed","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AAAA"},7]}`)
	add("not found", true, 404, "")
	add("gone", true, 410, "")
	add("behind a log-in", false, 401, "")
	add("forbidden", false, 403, "")
	add("throttled", false, 429, "")
	add("behind a server fault", false, 500, "")
	add("down for maintenance", false, 503, `{"keys":[]}`)
	add("moved", false, 302, "")
	add("replaced by a page", false, 200, "<html>")
	add("replaced by an error in JSON", false, 200, `{"error":"try later"}`)
	add("replaced by null", false, 200, `null`)
	add("without a list", false, 200, `{"keys":null}`)
	add("cut off", false, 200, `{"keys":[`)
	add("empty", false, 200, "")
	add("huge", false, 200, `{"keys":[`+strings.Repeat(" ", maxKeySetBytes)+`]}`)
	return all
}

// step is a change to the source, a wait, and whether the keys admit then.
type step struct {
	change func(withdrawal) // nil: none
	wait   time.Duration
	when   string
	admits func(withdrawal) bool
}

// TestWithdrawnKeysEnd proves what becomes of keys, in each of the ways in which a source can end or break.
func TestWithdrawnKeysEnd(t *testing.T) {
	t.Parallel()
	breaks, mends, unanswered := func(w withdrawal) { w.breaks() }, func(w withdrawal) { w.mends() }, func(w withdrawal) { w.unanswered() }
	broken := func(w withdrawal) { w.mends(); w.breaks() }
	yes, no, unlessDefinite := func(withdrawal) bool { return true }, func(withdrawal) bool { return false }, func(w withdrawal) bool { return !w.definite }
	for story, tt := range map[string]struct {
		definite bool // only for sources that say so
		steps    []step
	}{
		"end when the source has said twice that there are none, or at the grace's end; a good read ends either": {false, []step{
			{nil, 0, "first", yes},
			{breaks, keysTTL - time.Second, "before the source is asked", yes},
			{nil, time.Second, "at the first failure", yes},
			{nil, renewPause - time.Second, "before the confirming read", yes},
			{nil, time.Second, "at the confirming read", unlessDefinite},
			{nil, DefaultGrace - keysTTL - renewPause - time.Second, "in the last second of the grace", unlessDefinite},
			{nil, time.Second, "at the end of the grace", no},
			{mends, firstPause, "mended", yes},
			{breaks, keysTTL, "at the first failure after that", yes},
		}},
		"outlast a single answer that there are none, even with failures of another kind between": {true, []step{
			{nil, 0, "first", yes},
			{breaks, keysTTL, "at the first answer", yes},
			{mends, renewPause, "back at the confirming read", yes},
			{breaks, keysTTL, "at the first answer again", yes},
			{unanswered, renewPause, "at a confirming read without an answer", yes},
			{broken, renewPause, "confirmed later", no},
		}},
		"admit nobody after weeks in a frozen function": {false, []step{
			{nil, 0, "first", yes},
			{breaks, 3 * 7 * 24 * time.Hour, "three weeks later", no},
		}},
	} {
		all := secretWithdrawals(t)
		maps.Copy(all, publishedWithdrawals(t))
		for name, w := range all {
			if tt.definite && !w.definite {
				continue
			}
			t.Run(story+"/"+name, func(t *testing.T) {
				t.Parallel()
				w.follow(t, tt.steps)
			})
		}
	}
}

func (w withdrawal) follow(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		if s.change != nil {
			s.change(w)
		}
		w.Move(s.wait)
		w.admits(t, s.when, s.admits(w))
	}
}

// TestForgedTokensNoticeWithdrawal proves that a read made for a token that no key verifies counts as well, and that the
// confirming read follows after the pause, although the keys are far from their TTL.
func TestForgedTokensNoticeWithdrawal(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	good, forged := hs256(t, secret, longLived), hs256(t, otherSecret, longLived)
	b.expect(t, "first", good, "", 1)
	b.Remove(parameter)
	b.Move(renewPause)
	b.expect(t, "forged", forged, ReasonSignature, 2)
	b.expect(t, "good, unconfirmed", good, "", 2)
	b.Move(renewPause)
	if _, err := b.Verify(context.Background(), good); err == nil {
		t.Error("withdrawn keys opened a door")
	}
}

// TestKeyTimeLeftOfWithdrawnKeys proves that the alarm's metric shows the time to the confirming read, and then none.
func TestKeyTimeLeftOfWithdrawnKeys(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	token := hs256(t, secret, longLived)
	b.expect(t, "first", token, "", 1)
	b.Remove(parameter)
	b.Move(keysTTL)
	for _, want := range []string{`"KeyTimeLeft":30`, `"KeyTimeLeft":0`} {
		log := invoke(t, func(ctx context.Context) { _, _ = b.Verify(ctx, token) })
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
		b.Move(renewPause)
	}
}
