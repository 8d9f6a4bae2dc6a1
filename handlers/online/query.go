package main

import (
	"fmt"
	"strconv"
	"strings"

	"heliograph"
	"heliograph/presence"
)

// maxUserIDs is how many users can be asked for by name: what one read of the table takes.
const maxUserIDs = 100

// query is what the client asks for: some users by name, or else a page of all who are online.
type query struct {
	byName bool
	users  []heliograph.UserID // each once, in the order of their first mention

	limit  int // 0: as many as fit
	cursor string
}

// parseQuery reads the query string, or returns a *presence.InvalidError. An HTTP API joins the values of a
// parameter that is given several times by comma, which is also what separates user ids.
func parseQuery(parameters map[string]string) (query, error) {
	if list, ok := parameters["userIds"]; ok {
		users, err := parseUsers(list)
		return query{byName: true, users: users}, err
	}
	limit, err := parseLimit(parameters)
	return query{limit: limit, cursor: parameters["cursor"]}, err
}

// parseUsers drops blanks and doubles.
func parseUsers(list string) ([]heliograph.UserID, error) {
	seen := map[string]bool{"": true}
	var users []heliograph.UserID
	for user := range strings.SplitSeq(list, ",") {
		user = strings.TrimSpace(user)
		if seen[user] {
			continue
		}
		seen[user] = true
		users = append(users, heliograph.UserID(user))
	}
	if len(users) > maxUserIDs {
		return nil, &presence.InvalidError{
			Field: "userIds", Reason: fmt.Sprintf("names %d users; %d are the limit", len(users), maxUserIDs),
		}
	}
	return users, nil
}

// parseLimit takes a limit that is given for what it says, so that 0 is a bad one and not none.
func parseLimit(parameters map[string]string) (int, error) {
	given, ok := parameters["limit"]
	if !ok {
		return 0, nil
	}
	limit, err := strconv.Atoi(given)
	if err != nil || limit < 1 || limit > presence.MaxPage {
		return 0, &presence.InvalidError{
			Field: "limit", Reason: fmt.Sprintf("is not a whole number from 1 to %d", presence.MaxPage),
		}
	}
	return limit, nil
}

// link is the header that leads to the page after this one, relative to the address that was asked.
func (q query) link(cursor string) string {
	if q.limit == 0 {
		return fmt.Sprintf(`<?cursor=%s>; rel="next"`, cursor)
	}
	return fmt.Sprintf(`<?limit=%d&cursor=%s>; rel="next"`, q.limit, cursor)
}
