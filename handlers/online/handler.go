package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// event is what an HTTP API sends in payload format 2.0, as far as it matters here.
type event struct {
	RawQueryString string `json:"rawQueryString"`
}

// directory knows who is online. A *presence.InvalidError means that the question is no good.
type directory interface {
	Statuses(context.Context, []heliograph.UserID) ([]presence.Status, error)
	Online(ctx context.Context, limit int, cursor string) (presence.Page, error)
}

var _ directory = (*presence.Store)(nil)

// online answers a query, or says in the form of RFC 9457 why not. It returns no error: API Gateway would
// make an answer of its own of it.
func online(d directory) observability.Handler[event, events.APIGatewayV2HTTPResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayV2HTTPResponse, error) {
		users, link, err := find(ctx, d, e.RawQueryString)
		if invalid, ok := errors.AsType[*presence.InvalidError](err); ok {
			observability.Annotate(ctx, "outcome", "refused")
			return refused(http.StatusBadRequest, invalid.Error())
		}
		if err != nil {
			observability.Annotate(ctx, "outcome", "error")
			observability.Add(ctx, catalogue.HandlerErrors, 1)
			observability.Log(ctx).Error("the query failed", "error", err)
			return refused(http.StatusInternalServerError, "the query could not be answered; try again later")
		}
		observability.Add(ctx, catalogue.OnlineQueries, 1)
		return listed(users, link)
	}
}

func find(ctx context.Context, d directory, rawQuery string) (users []presence.Status, link string, err error) {
	q, err := parseQuery(rawQuery)
	if err != nil {
		return nil, "", err
	}
	if q.byName {
		users, err = d.Statuses(ctx, q.users)
		return users, "", err
	}
	page, err := d.Online(ctx, q.limit, q.cursor)
	if err == nil && page.Next != "" {
		link = q.link(page.Next)
	}
	return page.Users, link, err
}
