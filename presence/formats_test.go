package presence_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
)

// recordFormats writes what this version leaves in the table. A file that a release has is never written anew: its items
// live in somebody's table.
var recordFormats = flag.String("record-formats", "", "write the items of this version to testdata/formats/<name>.json")

// formerConnection has all the attributes that a connection can have when it opens.
var formerConnection = presence.Connection{
	User: "alone", ID: "c", TokenExpires: start.Add(2 * time.Hour).Truncate(time.Second), SourceIP: "192.0.2.1", UserAgent: "agent",
}

// TestFormerFormats proves that this version goes on with the items that an earlier one has left in the table: it finds
// their connections and statuses, announces what comes next with a higher version and only that, and sweeps their leases.
func TestFormerFormats(t *testing.T) {
	t.Parallel()
	if *recordFormats != "" {
		recordFormer(t, filepath.Join("testdata", "formats", *recordFormats+".json"))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "formats", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are the files %v: %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { proceed(t, file) })
	}
}

// proceed loads the items that recordFormer has left: here is connected twice, away has left and was reported, alone has one
// connection that is gone without a word.
func proceed(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var former dynamodb.Kept
	if err := json.Unmarshal(text, &former); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.advance(time.Hour)
	if err := w.table.Load(former); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]heliograph.ConnectionID{"a", "b"}, w.open(t, "here")); diff != "" {
		t.Errorf("connections:\n%s", diff)
	}
	connections, _, err := w.store.Connections(t.Context(), "alone")
	whole := formerConnection
	whole.ConnectedAt, whole.LeaseEnds = start.Truncate(time.Millisecond), start.Add(presence.FirstLease).Truncate(time.Second)
	if diff := cmp.Diff([]presence.Connection{whole}, connections); diff != "" || err != nil {
		t.Errorf("the connection of alone: %v\n%s", err, diff)
	}
	left := start.Add(time.Minute)
	want := presence.Status{User: "away", OfflineSince: left, LastActivity: left}
	if diff := cmp.Diff(want, w.statusWithin(t, "away")); diff != "" {
		t.Errorf("status:\n%s", diff)
	}
	if got := w.listed(t, 10); len(got) != 2 {
		t.Errorf("the list is %v", got)
	}
	w.sockets.open("a")
	w.sockets.open("b")
	w.sweep(t)
	for user, want := range map[heliograph.UserID]string{"here": "", "away": "", "alone": "-"} {
		if got := w.transitions(t, user); got != want {
			t.Errorf("after a sweep, the events of %s are %q, want %q", user, got, want)
		}
	}
	if got := w.open(t, "alone"); len(got) != 0 {
		t.Errorf("alone has the connections %v", got)
	}
	w.connect(t, "away", "c")
	w.disconnect(t, "here", "a")
	w.settle(t)
	w.disconnect(t, "here", "b")
	w.settle(t)
	for user, want := range map[heliograph.UserID]string{"here": "-", "away": "+", "alone": "-"} {
		if got := w.transitions(t, user); got != want {
			t.Errorf("the events of %s are %q, want %q", user, got, want)
		}
	}
	for _, i := range former.Items {
		for _, e := range w.heard {
			if i["pk"].Text() == "user#"+string(e.User) && i["sk"].Text() == "presence" && strconv.FormatInt(e.Version, 10) <= i["announcedEpoch"].Text() {
				t.Errorf("the version of %v is not above the one announced before, %s", e, i["announcedEpoch"].Text())
			}
		}
	}
}

// recordFormer writes the items of three users: see proceed.
func recordFormer(t *testing.T, file string) {
	if _, err := os.Stat(file); err == nil {
		t.Fatalf("%s exists: name another version", file)
	}
	w := newWorld(t)
	for id, user := range map[heliograph.ConnectionID]heliograph.UserID{"a": "here", "b": "here", "d": "away"} {
		w.connect(t, user, id)
	}
	if err := w.store.Connect(t.Context(), formerConnection); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	w.advance(time.Minute)
	w.disconnect(t, "away", "d")
	w.settle(t)
	kept := w.database.Keep(func(*dynamodb.Stream) map[string]dynamodb.Sequence { return nil }, func() {})
	text, err := json.MarshalIndent(kept[tableName], "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
