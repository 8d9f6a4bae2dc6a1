package message

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// TestParseState proves that only the form that Text writes is read, within bounds.
func TestParseState(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1767323045678)
	genuine := `{"attempt":2,"firstSentAt":1767323045678,"owed":{"1234":{"connections":["c"],"delivered":1}},"tally":{"delivered":1}}`
	if s, rejection := ParseState(RetryAttribute, genuine, now); rejection != nil || s.Text() != genuine {
		t.Fatalf("read as %s, %v", s.Text(), rejection)
	}
	for name, text := range map[string]string{
		"an unknown member":            `{"attempt":2,"more":1}`,
		"an unknown member of a user":  `{"attempt":2,"owed":{"1234":{"gifts":1}}}`,
		"a member in another case":     `{"Attempt":2}`,
		"a member twice":               `{"attempt":3,"attempt":2}`,
		"a user twice":                 `{"attempt":2,"owed":{"1234":{"delivered":1},"1234":{"delivered":2}}}`,
		"a name twice, in two cases":   `{"attempt":2,"tally":{"delivered":1,"DELIVERED":2}}`,
		"white space":                  `{ "attempt":2}`,
		"more behind it":               `{"attempt":2}{"attempt":2}`,
		"nothing":                      ``,
		"a tally below zero":           `{"attempt":2,"tally":{"offline":-9223372036854775808}}`,
		"a tally beyond bounds":        `{"attempt":2,"tally":{"offline":9007199254740992}}`,
		"a user's count beyond bounds": `{"attempt":2,"owed":{"1234":{"gone":9223372036854775807}}}`,
		"a time long ago":              `{"attempt":2,"firstSentAt":1}`,
		"a time to come":               `{"attempt":2,"firstSentAt":1767999999999}`,
		"a debt of long ago":           `{"attempt":2,"owedSince":1}`,
		"settled long ago":             `{"attempt":2,"settled":1}`,
		"a long cursor":                `{"attempt":2,"cursor":"` + strings.Repeat("x", 2049) + `"}`,
	} {
		if s, rejection := ParseState(RetryAttribute, text, now); rejection == nil || rejection.Reason != ReasonBadFollowUp {
			t.Errorf("%s is read as %s, %v", name, s.Text(), rejection)
		}
	}
}

// TestCountsSaturate proves that counts stop at their bound, where a state can still be read.
func TestCountsSaturate(t *testing.T) {
	t.Parallel()
	most := Tally{maxCount, maxCount, maxCount, maxCount, maxCount, maxCount}
	sum := most
	sum.Add(Tally{1, 1, 1, 1, 1, maxCount})
	if diff := cmp.Diff(most, sum); diff != "" {
		t.Error(diff)
	}
	owed := Owed{Delivered: maxCount, Gone: maxCount - 1}
	owed.Reached(1, 1)
	if owed.Delivered != maxCount || owed.Gone != maxCount {
		t.Errorf("reached %d and %d", owed.Delivered, owed.Gone)
	}
	s := State{Attempt: 1, Tally: sum, Owed: map[heliograph.UserID]Owed{"a": owed}}
	if _, rejection := ParseState("", s.Text(), time.Now()); rejection != nil {
		t.Error(rejection)
	}
	if maxCount > math.MaxInt/2 {
		t.Error("two counts can overflow")
	}
}

// TestSeal proves that a seal holds for one key, attribute, state, text and body alone, and that parts can't be moved
// from one to the next.
func TestSeal(t *testing.T) {
	t.Parallel()
	key := Key{ID: 692, Secret: []byte("secret")}
	s := State{Attempt: 2}
	label := key.Seal("a", s.Label(), "text", []byte("body"))
	if id, ok := KeyOf(label); !ok || id != 692 || !key.Sealed("a", label, "text", []byte("body")) || len(label) != len(s.Label()) {
		t.Fatalf("label %q", label)
	}
	for name, opens := range map[string]bool{
		"another key":         Key{692, []byte("Secret")}.Sealed("a", label, "text", []byte("body")),
		"another id":          Key{693, []byte("secret")}.Sealed("a", label, "text", []byte("body")),
		"another attribute":   key.Sealed("b", label, "text", []byte("body")),
		"another state":       key.Sealed("a", strings.Replace(label, "2}", "3}", 1), "text", []byte("body")),
		"another text":        key.Sealed("a", label, "Text", []byte("body")),
		"another body":        key.Sealed("a", label, "text", []byte("Body")),
		"a part that moved":   key.Sealed("a", label, "textb", []byte("ody")),
		"not yet sealed":      key.Sealed("a", s.Label(), "text", []byte("body")),
		"a seal that is cut":  key.Sealed("a", label[:20], "text", []byte("body")),
		"something before it": key.Sealed("a", " "+label, "text", []byte("body")),
	} {
		if opens {
			t.Errorf("%s opens it", name)
		}
	}
	for _, label := range []string{"", "{}", s.Text(), label[1:], "x" + label} {
		if id, ok := KeyOf(label); ok {
			t.Errorf("%q has key %d", label, id)
		}
	}
}

// BenchmarkSeal measures the sealing of the largest record.
func BenchmarkSeal(b *testing.B) {
	key, s, text := Key{ID: 1, Secret: make([]byte, 32)}, State{Attempt: 2}, strings.Repeat("x", 256<<10)
	for b.Loop() {
		key.Seal(RetryAttribute, s.Label(), text, nil)
	}
}
