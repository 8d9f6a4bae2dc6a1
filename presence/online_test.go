package presence_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"heliograph"
	"heliograph/presence"
)

// TestOnlinePages proves that the pages together list every user once, whatever their size, and none is larger than
// requested.
func TestOnlinePages(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var want []heliograph.UserID
	for i := range 100 {
		user := heliograph.UserID(fmt.Sprint("user", i))
		want = append(want, user)
		f.connect(t, user, heliograph.ConnectionID(user))
	}
	slices.Sort(want)
	for _, limit := range []int{0, 1, 7, 50, 99, 100, 101, presence.MaxPage} {
		users := f.listed(t, limit)
		slices.Sort(users)
		same(t, fmt.Sprintf("list in pages of %d", limit), users, want)
	}
	page, err := f.store.Online(t.Context(), 7, "")
	if err != nil || len(page.Users) != 7 || page.Next == "" {
		t.Fatalf("page of 7: %v, %v", page, err)
	}
	for _, s := range page.Users {
		if !s.Online || !s.LastActivity.Equal(f.Now()) {
			t.Errorf("status in the list: %v", s)
		}
	}
	all, err := f.store.Online(t.Context(), 0, "")
	if err != nil || len(all.Users) != 100 || all.Next != "" {
		t.Errorf("all at once: %d users, next %q, %v", len(all.Users), all.Next, err)
	}
}

// TestOnlinePagesThatEndWithTheirShard proves that the pages are the same with a table that reports at once that a
// shard has no more when a page and the shard end together.
func TestOnlinePagesThatEndWithTheirShard(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	exact := *f
	exact.store = presence.NewStore(exactEnds{f.db}, tableName, f)
	var want []heliograph.UserID
	for i := range 40 {
		user := heliograph.UserID(fmt.Sprintf("user%02d", i))
		want = append(want, user)
		f.connect(t, user, heliograph.ConnectionID(user))
	}
	for limit := range 40 {
		users := exact.listed(t, limit)
		slices.Sort(users)
		same(t, fmt.Sprintf("list in pages of %d", limit), users, want)
	}
}

// TestOnlineNobody proves that the list is one empty page when all users are offline.
func TestOnlineNobody(t *testing.T) {
	t.Parallel()
	page, err := setUp(t).store.Online(t.Context(), 0, "")
	if err != nil || len(page.Users) != 0 || page.Next != "" {
		t.Errorf("page: %v, %v", page, err)
	}
}

// TestOnlinePageOf1MB proves that a page without a limit is as full as 1 MB allows, and no fuller; the rest follows.
func TestOnlinePageOf1MB(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const users = 2200
	for i := range users {
		user := fmt.Sprintf("%s%06d", strings.Repeat("x", heliograph.MaxUserID-6), i)
		_, err := f.db.PutItem(t.Context(), &api.PutItemInput{TableName: new(tableName), Item: item{
			"pk": text("user#" + user), "sk": text("presence"),
			"gpk": text(presence.OnlinePartition(heliograph.UserID(user))), "gsk": text(user),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := f.store.Online(t.Context(), 0, "")
	if err != nil || page.Next == "" {
		t.Fatalf("page: next %q, %v", page.Next, err)
	}
	size := 0
	for _, s := range page.Users {
		size += len("pk"+"user#"+"sk"+"presence"+"gpk"+"online#00"+"gsk") + 2*len(s.User)
	}
	if size < 1<<20-600 || size > 1<<20+600 {
		t.Errorf("%d users on the page, of %d bytes in the index", len(page.Users), size)
	}
	rest, err := f.store.Online(t.Context(), 0, page.Next)
	if err != nil || len(page.Users)+len(rest.Users) != users || rest.Next != "" {
		t.Errorf("%d users, then %d, next %q, %v", len(page.Users), len(rest.Users), rest.Next, err)
	}
}

// TestOnlineWhilePeopleComeAndGo proves that a user who is online throughout is listed exactly once, though others come
// and go between the pages, including users named by the cursor.
func TestOnlineWhilePeopleComeAndGo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := setUp(t)
		name := rapid.Map(rapid.IntRange(0, 15), func(i int) heliograph.UserID { return heliograph.UserID(fmt.Sprint("u", i)) })
		online := map[heliograph.UserID]bool{}
		stayed := map[heliograph.UserID]bool{}
		for _, user := range rapid.SliceOfDistinct(name, rapid.ID[heliograph.UserID]).Draw(t, "at first") {
			f.connect(t, user, heliograph.ConnectionID(user))
			online[user], stayed[user] = true, true
		}
		seen := map[heliograph.UserID]int{}
		for cursor := ""; ; {
			page, err := f.store.Online(context.Background(), rapid.IntRange(1, 6).Draw(t, "limit"), cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.Users {
				seen[s.User]++
			}
			if cursor = page.Next; cursor == "" {
				break
			}
			change := rapid.SliceOfN(name, 0, 4).Draw(t, "come or go")
			if n := len(page.Users); n > 0 && rapid.Bool().Draw(t, "the last one goes") {
				change = append(change, page.Users[n-1].User)
			}
			for _, user := range change {
				if online[user] {
					f.disconnect(t, user, heliograph.ConnectionID(user))
					stayed[user] = false
				} else {
					f.connect(t, user, heliograph.ConnectionID(user))
				}
				online[user] = !online[user]
			}
		}
		for user, all := range stayed {
			if all && seen[user] != 1 {
				t.Errorf("%s was online all the time and is listed %d times", user, seen[user])
			}
		}
	})
}

// TestCursorTampering proves that only issued cursors are accepted; any change to one is detected.
func TestCursorTampering(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(t, "user-1", "a")
	f.connect(t, "user-2", "b")
	page, err := f.store.Online(t.Context(), 1, "")
	if err != nil || page.Next == "" {
		t.Fatalf("page: %v, %v", page, err)
	}
	refused := func(cursor string) bool {
		_, err := f.store.Online(context.Background(), 1, cursor)
		invalid, ok := errors.AsType[*presence.InvalidError](err)
		return ok && invalid.Field == "cursor"
	}
	if refused(page.Next) {
		t.Fatal("the cursor itself is refused")
	}
	raw, err := base64.RawURLEncoding.DecodeString(page.Next)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			changed := slices.Clone(raw)
			changed[i] ^= 1 << bit
			if cursor := base64.RawURLEncoding.EncodeToString(changed); !refused(cursor) {
				t.Errorf("bit %d of byte %d is changed, and the cursor %q taken", bit, i, cursor)
			}
		}
	}
	for i := range raw {
		if !refused(base64.RawURLEncoding.EncodeToString(raw[:i])) && i > 0 {
			t.Errorf("a cursor of %d bytes is taken", i)
		}
	}
	for _, cursor := range []string{
		"x", "!", page.Next + "=", page.Next + "A", page.Next + page.Next, " " + page.Next, page.Next + "\n",
		strings.Repeat("A", 1000), base64.RawURLEncoding.EncodeToString([]byte("user-1")), "user-1", "0",
	} {
		if !refused(cursor) {
			t.Errorf("the cursor %q is taken", cursor)
		}
	}
}

// TestAnyCursor proves that any text is either a valid cursor or refused as an invalid one, without another kind of
// error.
func TestAnyCursor(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	rapid.Check(t, func(t *rapid.T) {
		_, err := f.store.Online(context.Background(), 1, rapid.String().Draw(t, "cursor"))
		if _, ok := errors.AsType[*presence.InvalidError](err); err != nil && !ok {
			t.Error(err)
		}
	})
}

func TestOnlineLimits(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for _, limit := range []int{-1, presence.MaxPage + 1} {
		_, err := f.store.Online(t.Context(), limit, "")
		invalid, ok := errors.AsType[*presence.InvalidError](err)
		if !ok || invalid.Field != "limit" || !strings.Contains(invalid.Reason, "1000") {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// TestOnlineInShards proves that the shards' lists together are the whole list, page by page, and that a cursor belongs to
// its shard alone.
func TestOnlineInShards(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for i := range 60 {
		f.connect(t, heliograph.UserID(fmt.Sprint("user", i)), heliograph.ConnectionID(fmt.Sprint("c", i)))
	}
	whole, err := f.store.Online(t.Context(), 0, "")
	if err != nil || len(whole.Users) != 60 {
		t.Fatalf("%d users, %v", len(whole.Users), err)
	}
	var all []presence.Status
	for number := 1; number <= presence.Shards; number++ {
		for cursor, more := "", true; more; {
			page, err := f.store.OnlineIn(t.Context(), number, 2, cursor)
			if err != nil {
				t.Fatal(err)
			}
			all, cursor, more = append(all, page.Users...), page.Next, page.Next != ""
			if !more {
				continue
			}
			if _, err := f.store.OnlineIn(t.Context(), number%presence.Shards+1, 2, cursor); err == nil {
				t.Errorf("another shard takes the cursor of shard %d", number)
			}
		}
	}
	same(t, "the shards together", all, whole.Users)
}
