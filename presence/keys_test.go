package presence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
)

// TestShardIsStable proves that the shard of an id never changes: otherwise stored items would no longer be found.
func TestShardIsStable(t *testing.T) {
	t.Parallel()
	want := map[string]int{"": 9, "1234": 9, "nobody": 1, "L0SM9cOFvHcCIhw=": 13, "müller@example.com": 1}
	got := map[string]int{}
	for id := range want {
		got[id] = shard(id)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
}

// TestShardsAreEven proves that no kind of id makes a shard hot: none has more than 1.35 times its share.
func TestShardsAreEven(t *testing.T) {
	t.Parallel()
	const ids = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]func(int) string{
		"numbers": func(i int) string { return fmt.Sprint(i) },
		"mails":   func(i int) string { return fmt.Sprintf("user%d@example.com", i) },
		"hex":     func(int) string { return fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()) },
		"even":    func(i int) string { return fmt.Sprintf("%08d", i*16) },
	}
	for name, id := range kinds {
		var count [Shards]int
		for i := range ids {
			count[shard(id(i))]++
		}
		if most := slices.Max(count[:]); most > ids/Shards*135/100 {
			t.Errorf("%s: %v", name, count)
		}
	}
}

// TestLeaseKeysSortByTime proves that leases sort by their end, and dueKey sorts between those that have ended and
// those that have not.
func TestLeaseKeysSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Map(rapid.Int64Range(1, 9_999_999_998), func(s int64) time.Time { return time.Unix(s, 0) })
		id := rapid.Map(rapid.StringMatching(`[A-Za-z0-9=#_-]{1,20}`), func(s string) heliograph.ConnectionID { return heliograph.ConnectionID(s) })
		a, b := at.Draw(t, "a"), at.Draw(t, "b")
		idA, idB := id.Draw(t, "idA"), id.Draw(t, "idB")
		if a.Before(b) && leaseKey(a, idA) >= leaseKey(b, idB) {
			t.Errorf("%q does not sort before %q", leaseKey(a, idA), leaseKey(b, idB))
		}
		if due := leaseKey(a, idA) < dueKey(b); due == a.After(b) {
			t.Errorf("lease %v, now %v: due is %v", a, b, due)
		}
		if got := leaseEnd(leaseKey(a, idA)); !got.Equal(a) {
			t.Errorf("leaseEnd gives %v, want %v", got, a)
		}
	})
}

// TestConnectionItemKeepsAll proves that an item reads back as it was written, to the precision that the table keeps.
func TestConnectionItemKeepsAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Map(rapid.Int64Range(1000, 4e12), func(ms int64) time.Time { return fromMillis(ms) })
		c := Connection{
			User:         heliograph.UserID(rapid.StringN(1, 80, heliograph.MaxUserID).Draw(t, "user")),
			ID:           heliograph.ConnectionID(rapid.StringN(1, 20, 40).Draw(t, "id")),
			ConnectedAt:  instant.Draw(t, "connectedAt"),
			TokenExpires: instant.Draw(t, "tokenExpires").Truncate(time.Second),
			SourceIP:     rapid.String().Draw(t, "sourceIp"),
			UserAgent:    rapid.String().Draw(t, "userAgent"),
			LastActiveAt: instant.Draw(t, "lastActiveAt"),
			LeaseEnds:    instant.Draw(t, "leaseEnds").Truncate(time.Second),
		}
		if diff := cmp.Diff(c, encodeConnection(c).decode()); diff != "" {
			t.Errorf("connection (-written +read):\n%s", diff)
		}
	})
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	if user, id, ok := parseConnectionKey("user#a#b", "conn#c#d"); !ok || user != "a#b" || id != "c#d" {
		t.Errorf("connection: %q %q %v", user, id, ok)
	}
	if user, ok := parsePresenceKey("user#a#b", "presence"); !ok || user != "a#b" {
		t.Errorf("presence: %q %v", user, ok)
	}
	for _, sk := range []string{"presence", "", "con", "other#1"} {
		if _, _, ok := parseConnectionKey("user#a", sk); ok {
			t.Errorf("%q is taken for a connection", sk)
		}
	}
	for _, key := range [][2]string{{"user#a", "conn#presence"}, {"users#a", "presence"}, {"", ""}} {
		if _, ok := parsePresenceKey(key[0], key[1]); ok {
			t.Errorf("%q is taken for a presence", key)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"", ""},
		{"short", "short"},
		{"12345678", "12345678"},
		{"123456789", "12345678"},
		{"1234567ü", "1234567"},    // the character's second byte would be the ninth
		{"123456ü", "123456ü"},     // it fits exactly
		{"12345😀", "12345"},        // one of four bytes
		{"a\xffb", "a\uFFFDb"},     // not UTF-8
		{"\xff\xfe\xfd", "\uFFFD"}, // a run of bad bytes becomes one
	}
	for _, test := range tests {
		if got := cut(test.in, 8); got != test.want {
			t.Errorf("cut(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		size := rapid.IntRange(0, 40).Draw(t, "size")
		if got := cut(s, size); len(got) > size || !utf8.ValidString(got) || !strings.HasPrefix(s, got) {
			t.Errorf("cut(%q, %d) = %q", s, size, got)
		}
	})
}
