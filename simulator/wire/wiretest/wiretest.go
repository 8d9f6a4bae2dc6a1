// Package wiretest is shared by the tests of simulated services: it puts a service on the network, with an SDK
// configuration for it, holds requests and answers against AWS's published models, and compares errors as seen by the SDK
// or a caller in Go.
package wiretest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"heliograph/simulator/wire"
)

// Folders are the folders of the services' models in botocore's data, by signing name.
var Folders = map[string]string{
	"sqs": "sqs/2012-11-05", "sns": "sns/2010-03-31", "ssm": "ssm/2014-11-06",
	"dynamodb": "dynamodb/2012-08-10", "monitoring": "cloudwatch/2010-08-01",
}

// Handler serves a service, and holds each answer against AWS's published model.
func Handler(t testing.TB, service wire.Service, o wire.Options) http.Handler {
	t.Helper()
	endpoint := wire.NewEndpoint(o)
	endpoint.Register(service)
	return HoldAnswers(t, Folders[service.Name], endpoint)
}

// Serve puts a service on the network until the test ends, and returns the configuration for the SDK's client of it.
// The client retries: its request body races with the end of net/http's write loop, so a large response is cut off now
// and then.
func Serve(t testing.TB, service wire.Service, o wire.Options) aws.Config {
	t.Helper()
	web := httptest.NewServer(Handler(t, service, o))
	t.Cleanup(web.Close)
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &web.URL, HTTPClient: web.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
}

// Code returns an error's code, as seen by a client of the SDK or a caller of the Go methods; empty for no error.
func Code(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if err != nil {
		return "no error of an API: " + err.Error()
	}
	return ""
}

// WantCode fails the test if the error has another code.
func WantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := Code(err); got != want {
		t.Errorf("the error is %q (%v), want %q", got, err, want)
	}
}
