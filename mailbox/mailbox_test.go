package mailbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"heliograph/cost"
)

// roomy is a limit that no test reaches.
var roomy = Limit{Messages: 1000, Bytes: 10 << 20}

// TestSince proves what a client receives by what it says that it has.
func TestSince(t *testing.T) {
	t.Parallel()
	f := setUp(t, roomy)
	before := f.check("", false)
	one := f.keep("one")
	two := f.keep("two")
	f.check("", false, "one", "two")
	f.check(before.Cursor, false, "one", "two") // from before the user had a mailbox
	f.check(one, false, "two")
	if live := f.check(two, false); live.Cursor != two {
		t.Errorf("a client that missed nothing stands at %s, want %s", live.Cursor, two)
	}
	for _, unknown := range []string{"x", two + "0", "AAAAAAAAAAAA.1", strings.Repeat("9", 100), "-.", "-.-5", two + ".1", one[:13] + "-1"} {
		f.check(unknown, true, "one", "two")
	}
	other, err := f.Since(context.Background(), "5678", two, nil)
	if err != nil || !other.Reset {
		t.Errorf("another user's cursor: %+v, %v", other, err)
	}
}

// TestManyPages proves that a mailbox of several pages, of 1 MB each, is read to its end.
func TestManyPages(t *testing.T) {
	t.Parallel()
	f, want := setUp(t, roomy), []string{}
	for i := range 30 {
		body := fmt.Sprint(i) + strings.Repeat("x", 100<<10)
		f.keep(body)
		want = append(want, body)
	}
	f.check("", false, want...)
}

// TestExpiry proves that a message counts for as long as it is kept, and that a client from before it is told that it has
// missed something, whether or not the table has deleted it.
func TestExpiry(t *testing.T) {
	t.Parallel()
	f := setUp(t, roomy)
	zero := f.check("", false).Cursor
	f.keep("short", time.Minute)
	long := f.keep("long", 2*time.Hour)
	f.at = f.at.Add(time.Minute)
	f.check(zero, true, "long")
	f.check(long, false)
	f.at = f.at.Add(lateness + time.Minute)
	f.table.ExpireDue(f.at)
	f.check(zero, true, "long")
	f.check(long, false)
}

// TestBeginsAnew proves that cursors of a mailbox that has expired are unknown in the user's next one, whose positions
// begin at 1 again, and that a cursor from when there was none is too old by then.
func TestBeginsAnew(t *testing.T) {
	t.Parallel()
	f := setUp(t, roomy)
	zero := f.check("", false).Cursor
	old := f.keep("old")
	f.at = f.at.Add(memory + time.Hour)
	f.table.ExpireDue(f.at)
	f.check(old, true)
	now := f.keep("new")
	if PositionOf(old) != 1 || PositionOf(now) != 1 {
		t.Errorf("positions %s and %s", old, now)
	}
	f.check(old, true, "new")
	f.check(zero, true, "new")
}

// TestLimit proves that the newest messages within both limits are kept, and that a client that missed others is told.
func TestLimit(t *testing.T) {
	t.Parallel()
	f := setUp(t, Limit{Messages: 3, Bytes: 100})
	zero := f.check("", false).Cursor
	one := f.keep("1")
	f.keep("2")
	f.keep("3")
	f.check(zero, false, "1", "2", "3")
	f.keep("4")
	f.check(zero, true, "2", "3", "4")
	f.check(one, false, "2", "3", "4")
	big := strings.Repeat("x", 99)
	f.keep(big)
	f.check(one, true, "4", big)
}

// TestSlowWriter proves that a reader does not pass an empty position: it fills it, the slow writer takes another, and the
// message arrives there. An empty position of long ago is passed.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := setUp(t, roomy)
	one := f.keep("1")
	slow, err := f.take(ctx, "1234", 4)
	if err != nil {
		t.Fatal(err)
	}
	three := f.keep("3")
	if live := f.check(one, false, "3"); live.Cursor != three {
		t.Errorf("live at %s, want %s", live.Cursor, three)
	}
	if written, err := f.write(ctx, "1234", slow, Message{Body: "slow", Expires: f.at.Add(time.Hour)}); err != nil || written {
		t.Errorf("the slow writer wrote at a position that was filled: %v, %v", written, err)
	}
	f.check(one, false, "3") // for all readers alike
	if _, err := f.take(ctx, "1234", 4); err != nil {
		t.Fatal(err)
	}
	f.at = f.at.Add(settledAfter + time.Second)
	before := f.units()
	f.check(three, true)
	if got := f.units(); got.Write != before.Write {
		t.Errorf("a position of long ago was filled: %+v, before %+v", got, before)
	}
}

// TestLostAnswer proves that a message whose first write was answered to nobody is found by the second, and stands at one
// position.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := setUp(t, roomy)
	head, err := f.take(ctx, "1234", 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if written, err := f.write(ctx, "1234", head, Message{Body: "1", Expires: f.at.Add(time.Hour)}); err != nil || !written {
			t.Errorf("%v, %v", written, err)
		}
	}
	f.check("", false, "1")
}

// units are the capacity units that the table has consumed.
func (f *fixture) units() cost.Units {
	used := f.table.Usage().Table
	return cost.Units{Read: used.Read, Write: used.Write}
}

// TestCost proves the costs of keeping and of coming back: a message of a KB takes two units for itself, whose item is a bit
// larger, and one for its number; a client that has missed nothing takes one read.
func TestCost(t *testing.T) {
	t.Parallel()
	f := setUp(t, roomy)
	cursor := f.check("", false).Cursor
	took := func(want cost.Units, what string, do func()) {
		t.Helper()
		before := f.units()
		do()
		after := f.units()
		if got := (cost.Units{Read: after.Read - before.Read, Write: after.Write - before.Write}); got != want {
			t.Errorf("%s took %+v, want %+v", what, got, want)
		}
	}
	took(cost.ResumeWithNothing, "coming back to no mailbox", func() { f.check(cursor, false) })
	for _, kb := range []int{1, 2, 10, 100} {
		body := strings.Repeat("x", kb<<10)
		took(cost.Keep(kb), fmt.Sprintf("keeping %d KB", kb), func() { cursor = f.keep(body) })
		if units := cost.Keep(kb).Write; units > float64(3*kb) {
			t.Errorf("%d KB take %v units, over 3 for each", kb, units)
		}
	}
	took(cost.Units{Write: 2}, "keeping a short one", func() { cursor = f.keep("short") })
	took(cost.ResumeWithNothing, "coming back to nothing missed", func() { f.check(cursor, false) })
	f.keep("1")
	f.keep("2")
	took(cost.Units{Read: 2}, "coming back to two short ones", func() { f.check(cursor, false, "1", "2") })
}
