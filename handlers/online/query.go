package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"heliograph"
	"heliograph/presence"
)

// maxUsers is how many users can be asked for by name: what one read of the table takes.
const maxUsers = 100

// query is what the client asks for: some users by name, or else a page of all who are online.
type query struct {
	byName bool
	users  []heliograph.UserID // each once, in the order of their first mention

	limit  int // 0: as many as fit
	cursor string
}

// parseQuery reads a raw query string, or returns a *presence.InvalidError. The event's own map won't do: there an HTTP
// API joins the values of a repeated parameter by commas, which are also part of user ids.
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

// parseUsers gives each user once. userIds are lists separated by commas, in which blanks around an id don't count; a
// userId is one id as it stands, so that ids which hold a comma or begin with a blank can be asked for.
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

// parseLimit takes a limit that is given for what it says, so that 0 is a bad one and not none.
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

// only gives the value of a parameter that makes sense once.
func only(name string, given []string) (string, error) {
	switch len(given) {
	case 0:
		return "", nil
	case 1:
		return given[0], nil
	}
	return "", &presence.InvalidError{Field: name, Reason: "is given more than once"}
}

// link is the header that leads to the page after this one, relative to the address that was asked.
func (q query) link(cursor string) string {
	if q.limit == 0 {
		return fmt.Sprintf(`<?cursor=%s>; rel="next"`, cursor)
	}
	return fmt.Sprintf(`<?limit=%d&cursor=%s>; rel="next"`, q.limit, cursor)
}
