package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// AWSConfig configures the AWS SDK for the stack. For a local stack it reads nothing from the environment or from
// ~/.aws: a developer's profile, proxy endpoint or retry mode is meant for AWS, and could only lead elsewhere or fail.
func (e Endpoints) AWSConfig(ctx context.Context) (aws.Config, error) {
	quiet := logging.Nop{} // the SDK warns of connections that it can't reuse; real problems are returned as errors
	if e.AWSEndpointURL != "" {
		return aws.Config{
			Region: e.Region, BaseEndpoint: aws.String(e.AWSEndpointURL), Logger: quiet, HTTPClient: loopbackClient{http.DefaultClient},
			Credentials: credentials.NewStaticCredentialsProvider(e.AccessKey, "local", ""), // the key alone counts
		}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(e.Region), config.WithLogger(quiet))
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return cfg, nil
}

// loopbackClient is an HTTP client for AWS calls to a server on this machine.
//
// The SDK closes a request's body as soon as the head of the response has arrived. A server on the same machine can
// respond before net/http has finished with the body; net/http then takes the close for a failed write and cuts the
// connection, and everything beyond the 4 KB already buffered is lost. The SDK retries, but messages hidden by a
// ReceiveMessage stay hidden. So net/http reads a copy that the SDK can't close. (smithy-go v1.28.8,
// transport/http/client.go.)
type loopbackClient struct{ client *http.Client }

var _ aws.HTTPClient = loopbackClient{}

// Do sends a request. Its body must be small, a few KB at most, since it is copied.
func (l loopbackClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return l.client.Do(r)
}
