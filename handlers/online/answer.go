package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/presence"
)

// entry is one user, in the contract's form.
type entry struct {
	UserID       heliograph.UserID `json:"UserId"`
	IsOnline     bool              `json:"IsOnline"`
	LastActivity *string           `json:"LastActivity"` // null for an unknown user
}

// timeFormat always has three digits of milliseconds; the time must be in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

func entryOf(s presence.Status) entry {
	e := entry{UserID: s.User, IsOnline: s.Online}
	if !s.LastActivity.IsZero() {
		at := s.LastActivity.UTC().Format(timeFormat)
		e.LastActivity = &at
	}
	return e
}

// listed responds with users; link is the Link header, or empty.
func listed(users []presence.Status, link string) (events.APIGatewayV2HTTPResponse, error) {
	entries := make([]entry, len(users)) // an empty list is [], not null
	for i, u := range users {
		entries[i] = entryOf(u)
	}
	return answer(http.StatusOK, "application/json", entries, link)
}

// problem is an error in the form of RFC 9457. The type about:blank means that the status says everything.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// refused responds with a problem.
func refused(status int, detail string) (events.APIGatewayV2HTTPResponse, error) {
	return answer(status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail,
	}, "")
}

// answer forbids caching: the response may be outdated a moment later.
func answer(status int, contentType string, body any, link string) (events.APIGatewayV2HTTPResponse, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return events.APIGatewayV2HTTPResponse{}, fmt.Errorf("encode the answer: %w", err)
	}
	headers := map[string]string{"Content-Type": contentType, "Cache-Control": "no-store"}
	if link != "" {
		headers["Link"] = link
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status, Headers: headers, Body: strings.TrimSuffix(text.String(), "\n"),
	}, nil
}
