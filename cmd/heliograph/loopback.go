package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// loopback is an HTTP client for AWS calls to a simulator on this machine.
//
// The SDK closes a request's body as soon as the answer's head is there. A server on the same machine can be so fast that
// net/http is not yet done with the body, takes the closing for a failed write, and cuts the connection: an answer of more
// than the 4 KB that are buffered is lost. The SDK tries again, but what a ReceiveMessage has hidden stays hidden.
// Here, what the SDK closes is not what net/http reads. (smithy-go v1.28.8, transport/http/client.go.)
type loopback struct{ client *http.Client }

var _ aws.HTTPClient = loopback{}

// Do sends a request. Its body is a few KB at the most.
func (l loopback) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return l.client.Do(r)
}
