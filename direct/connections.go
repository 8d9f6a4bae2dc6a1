package direct

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"heliograph/observability"
)

// Connections is a client of a WebSocket API's @connections.
type Connections struct {
	client
	path, raw string // of @connections, plain and escaped
	base      url.URL
}

// NewConnections returns a client of the WebSocket API at endpoint, https://<host>/<stage>. answered is told the status of
// each answer, of attempts that are repeated, too.
func NewConnections(cfg aws.Config, endpoint string, answered func(ctx context.Context, status int)) (*Connections, error) {
	base, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("the address of the WebSocket API: %w", err)
	}
	c := &Connections{client: newClient(cfg, apigatewaymanagementapi.ServiceID, "execute-api"), base: *base}
	c.path, c.raw = base.Path+"/@connections/", base.EscapedPath()+"/@connections/"
	c.answered = answered
	return c, nil
}

// PostToConnection is the SDK's. It ignores options.
func (c *Connections) PostToConnection(
	ctx context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options),
) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	id := aws.ToString(in.ConnectionId)
	address := c.base
	address.Path, address.RawPath = c.path+id, c.raw+httpbinding.EscapePath(id, true)
	_, err := c.do(ctx, &call{
		operation: "PostToConnection", url: &address, body: in.Data, refusal: refusedPost,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		about:  observability.About{Key: "connection_id", Value: id},
	})
	return &apigatewaymanagementapi.PostToConnectionOutput{}, err
}

func refusedPost(code, message string) error {
	switch code {
	case "GoneException":
		return &types.GoneException{Message: &message}
	case "ForbiddenException":
		return &types.ForbiddenException{Message: &message}
	case "LimitExceededException":
		return &types.LimitExceededException{Message: &message}
	case "PayloadTooLargeException":
		return &types.PayloadTooLargeException{Message: &message}
	}
	return nil
}
