package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// onlineCommand lists the online users, or shows the status of the named ones.
type onlineCommand struct {
	Users []string `arg:"" optional:"" help:"Users to ask about; without any, all online users are listed."`
	JSON  bool     `name:"json" help:"Print the API's own JSON, one page per line."`
	credential
}

func (onlineCommand) Help() string {
	return `Examples:
  heliograph online
  heliograph online 1234 5678`
}

// status is one entry of a GET /user/online response. LastActivity is null for a user who has never connected.
type status struct {
	UserID       string     `json:"UserId"`
	IsOnline     bool       `json:"IsOnline"`
	LastActivity *time.Time `json:"LastActivity"`
}

func (c *onlineCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	token, err := c.token(ctx, w.now(), t, operator, time.Minute)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	show := func(page []byte) error { return printStatuses(table, page) }
	if c.JSON {
		show = func(page []byte) error { _, err := fmt.Fprintf(w.stdout, "%s\n", page); return err }
	} else {
		fmt.Fprintln(table, "USER\tONLINE\tLAST ACTIVITY")
		defer table.Flush()
	}
	return t.eachPage(ctx, token, c.Users, show)
}

func printStatuses(out io.Writer, page []byte) error {
	var statuses []status
	if err := json.Unmarshal(page, &statuses); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	for _, s := range statuses {
		last := "never"
		if s.LastActivity != nil {
			last = s.LastActivity.Format(time.RFC3339)
		}
		if _, err := fmt.Fprintf(out, "%s\t%t\t%s\n", quoted(s.UserID), s.IsOnline, last); err != nil {
			return err
		}
	}
	return nil
}

// eachPage calls GET /user/online, follows its Link headers, and passes the body of each page to use.
func (t *target) eachPage(ctx context.Context, token string, users []string, use func([]byte) error) error {
	next := "/user/online"
	if len(users) > 0 {
		next += "?" + url.Values{"userId": users}.Encode() // userIds would split an id that contains a comma
	}
	for next != "" {
		page, link, err := t.page(ctx, token, next)
		if err != nil {
			return err
		}
		if err := use(page); err != nil {
			return err
		}
		next = link
	}
	return nil
}

// page returns one page and the reference to the next, "" after the last. The body of an error response goes into the
// error: it is a problem document that names the remedy.
func (t *target) page(ctx context.Context, token, reference string) (page []byte, next string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.HTTPURL+reference, nil)
	if err != nil {
		return nil, "", fmt.Errorf("query presence: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("query presence: %w", err)
	}
	defer response.Body.Close()
	page, err = io.ReadAll(response.Body)
	if err != nil {
		return nil, "", fmt.Errorf("query presence: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("query presence: %s: %s", response.Status, page)
	}
	next, err = nextReference(response.Header.Get("Link"))
	return page, next, err
}

// nextReference parses a header such as `<?limit=100&cursor=abc>; rel="next"`. A reference must be relative to the
// request's address; any other is refused, because following it would send the token elsewhere.
func nextReference(link string) (string, error) {
	if link == "" {
		return "", nil
	}
	reference, parameters, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(parameters, `rel="next"`) || !strings.HasPrefix(reference, "?") {
		return "", errors.New("query presence: the Link header should be <?…>; rel=\"next\", and is " + link)
	}
	return "/user/online" + reference, nil
}
