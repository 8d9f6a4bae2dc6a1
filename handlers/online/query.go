package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"heliograph"
	"heliograph/presence"
)

// maxUsers is the number of users that can be named in a query: as many as one read of the table takes.
const maxUsers = 100

// query is a client's query: either some users by name, or a page of all who are online.
type query struct {
	byName bool
	users  []heliograph.UserID // each once, in order of first mention

	limit  int // 0: as many as fit
	cursor string
}

// parseQuery parses a raw query string, or returns a *presence.InvalidError. The event's own map does not suffice: in
// it an HTTP API joins the values of a repeated parameter by commas, which are also part of user ids.
func parseQuery(raw string) (query, error) {
	values, err := url.ParseQuery(raw) // refuses semicolons and broken escapes
	if err != nil {
		return query{}, &presence.InvalidError{
			Field: "the query string", Reason: "can't be read: escape what is not a letter or digit as %XX, a semicolon as %3B",
		}
	}
	q := query{byName: values.Has("userIds") || values.Has("userId")}
	if q.limit, err = parseLimit(values["limit"]); err != nil {
		return q, err
	}
	if q.cursor, err = only("cursor", values["cursor"]); err != nil {
		return q, err
	}
	q.users, err = parseUsers(values["userIds"], values["userId"])
	return q, err
}

// parseUsers returns each user once. userIds are comma-separated lists, in which blanks around an id are ignored; a
// userId is one id verbatim, so that ids with a comma or a leading blank can be queried.
func parseUsers(lists, single []string) (users []heliograph.UserID, err error) {
	seen := map[heliograph.UserID]bool{}
	add := func(user string) {
		if id := heliograph.UserID(user); !seen[id] {
			seen[id] = true
			users = append(users, id)
		}
	}
	for user := range strings.SplitSeq(strings.Join(lists, ","), ",") {
		if user = strings.TrimSpace(user); user != "" {
			add(user)
		}
	}
	for _, user := range single {
		add(user)
	}
	if len(users) > maxUsers {
		return nil, &presence.InvalidError{
			Field: "userIds", Reason: fmt.Sprintf("names %d users; %d are the limit", len(users), maxUsers),
		}
	}
	return users, nil
}

// parseLimit takes an explicit limit literally, so that 0 is invalid rather than absent.
func parseLimit(given []string) (int, error) {
	if len(given) == 0 {
		return 0, nil
	}
	limit, err := strconv.Atoi(given[0])
	if err != nil || len(given) > 1 || limit < 1 || limit > presence.MaxPage {
		return 0, &presence.InvalidError{
			Field: "limit", Reason: fmt.Sprintf("is not a whole number from 1 to %d", presence.MaxPage),
		}
	}
	return limit, nil
}

// only returns the value of a parameter that may occur once.
func only(name string, given []string) (string, error) {
	switch len(given) {
	case 0:
		return "", nil
	case 1:
		return given[0], nil
	}
	return "", &presence.InvalidError{Field: name, Reason: "is given more than once"}
}

// within reports whether a client may ask a query where not everyone may ask about everyone: with the scope, anything;
// without it, about itself by name.
func (q query) within(c client) bool {
	if c.MayQuery == heliograph.Anyone {
		return true
	}
	others := func(user heliograph.UserID) bool { return user != c.UserID }
	return q.byName && c.UserID != "" && !slices.ContainsFunc(q.users, others)
}

// link is the header that links to the next page, relative to the requested address.
func (q query) link(cursor string) string {
	if q.limit == 0 {
		return fmt.Sprintf(`<?cursor=%s>; rel="next"`, cursor)
	}
	return fmt.Sprintf(`<?limit=%d&cursor=%s>; rel="next"`, q.limit, cursor)
}
