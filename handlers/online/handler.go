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

// event holds the members used here of an HTTP API's event in payload format 2.0.
type event struct {
	RawQueryString string `json:"rawQueryString"`
	RequestContext struct {
		Authorizer struct {
			Lambda client `json:"lambda"`
		} `json:"authorizer"`
	} `json:"requestContext"`
}

// client is what the authorizer has found out about a client, by the keys heliograph.Context….
type client struct {
	UserID   heliograph.UserID `json:"userId"`
	MayQuery string            `json:"mayQuery"`
}

// errForbidden refuses a query about other users.
var errForbidden = errors.New("this token may ask about its own user only, by userIds or userId")

// directory looks up who is online. A *presence.InvalidError means that the query is invalid.
type directory interface {
	Statuses(context.Context, []heliograph.UserID) ([]presence.Status, error)
	Online(ctx context.Context, limit int, cursor string) (presence.Page, error)
}

var _ directory = (*presence.Store)(nil)

// online answers a query, or refuses it in the form of RFC 9457. It returns no error, which API Gateway would turn into
// a response of its own. allowed is the configuration key onlineQuery.
func online(d directory, allowed string) observability.Handler[event, events.APIGatewayV2HTTPResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayV2HTTPResponse, error) {
		may := func(q query) bool {
			return allowed == heliograph.Anyone || q.within(e.RequestContext.Authorizer.Lambda)
		}
		users, link, err := find(ctx, d, e.RawQueryString, may)
		if invalid, ok := errors.AsType[*presence.InvalidError](err); ok {
			observability.Annotate(ctx, "outcome", "refused")
			return refused(http.StatusBadRequest, invalid.Error())
		}
		if errors.Is(err, errForbidden) {
			observability.Annotate(ctx, "outcome", "forbidden")
			observability.Add(ctx, catalogue.OnlineQueriesForbidden, 1)
			return refused(http.StatusForbidden, err.Error())
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

func find(ctx context.Context, d directory, rawQuery string, may func(query) bool) (users []presence.Status, link string, err error) {
	q, err := parseQuery(rawQuery)
	if err != nil {
		return nil, "", err
	}
	if !may(q) {
		return nil, "", errForbidden
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
