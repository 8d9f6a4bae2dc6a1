package direct

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"heliograph/observability"
)

// client makes the calls of one service.
type client struct {
	service string // as the SDK names it
	signing string // as signatures name it
	cfg     aws.Config
	retryer aws.RetryerV2
	signer  *v4.Signer
	// answered is told the status of each answer.
	answered func(ctx context.Context, status int)
}

func newClient(cfg aws.Config, service, signing string) client {
	c := client{service: service, signing: signing, cfg: cfg, signer: v4.NewSigner(), answered: func(context.Context, int) {}}
	c.retryer = retry.NewStandard()
	if cfg.Retryer != nil {
		if r, ok := cfg.Retryer().(aws.RetryerV2); ok {
			c.retryer = r
		}
	}
	return c
}

// call is one call of a service.
type call struct {
	operation string
	url       *url.URL
	header    http.Header
	body      []byte
	// about is what the call works on, as X-Ray names it.
	about observability.About
	// refusal makes the typed error for a code, nil if there is none.
	refusal func(code, message string) error
	// check checks a successful answer; nil: nothing to check.
	check func(*http.Response, []byte) error
}

// do makes a call, again while that is worth it, and returns the answer's body.
func (c *client) do(ctx context.Context, call *call) (answer []byte, err error) {
	span := observability.AWSCall{Service: c.service, Operation: call.operation, Region: c.cfg.Region, About: call.about}
	err = observability.Call(ctx, &span, func() error {
		return c.retry(ctx, func() (err error) {
			span.Attempts++
			answer, span.Response, err = c.attempt(ctx, call)
			return err
		})
	})
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: c.service, OperationName: call.operation, Err: err}
	}
	return answer, nil
}

// retry makes attempts for as long as the retryer allows, as the SDK's own middleware does.
func (c *client) retry(ctx context.Context, attempt func() error) error {
	release := func(error) error { return nil }
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := c.retryer.GetAttemptToken(ctx)
		if err != nil {
			return err
		}
		err = attempt()
		_, _ = release(err), done(err) // bookkeeping, which is worth no answer
		switch {
		case err == nil || !c.retryer.IsErrorRetryable(err):
			return err
		case number >= c.retryer.MaxAttempts():
			return &retry.MaxAttemptsError{Attempt: number, Err: err}
		}
		refused := err
		if release, err = c.retryer.GetRetryToken(ctx, refused); err != nil {
			return errors.Join(refused, err)
		}
		if err := c.pause(ctx, number, refused); err != nil {
			return err
		}
	}
}

// pause waits before the next attempt.
func (c *client) pause(ctx context.Context, number int, refused error) error {
	delay, err := c.retryer.RetryDelay(number, refused)
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &aws.RequestCanceledError{Err: ctx.Err()}
	}
}

// attempt makes a single request. A failed one is answered by the same kinds of errors as the SDK's.
func (c *client) attempt(ctx context.Context, call *call) ([]byte, *http.Response, error) {
	request, err := c.request(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	response, err := c.cfg.HTTPClient.Do(request)
	if err != nil {
		err = &smithyhttp.RequestSendError{Err: err}
		if ctx.Err() != nil {
			err = &smithy.CanceledError{Err: ctx.Err()}
		}
		return nil, nil, responseError(&http.Response{}, err)
	}
	defer response.Body.Close()
	c.answered(ctx, response.StatusCode)
	body, err := read(response, call)
	if err != nil {
		return nil, response, responseError(response, err)
	}
	return body, response, nil
}

// responseError wraps an error with the answer, an empty one if there is none, as the SDK does.
func responseError(response *http.Response, err error) error {
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: err},
		RequestID:     response.Header.Get("X-Amzn-Requestid"),
	}
}

// read returns the body of an answer that reports success, and the error of any other.
func read(response *http.Response, call *call) ([]byte, error) {
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
	case response.StatusCode/100 != 2:
		return nil, refusalOf(response, body, call)
	case call.check != nil:
		err = call.check(response, body)
	}
	if err != nil {
		return nil, &smithy.DeserializationError{Err: err}
	}
	return body, nil
}

// request is a signed request.
func (c *client) request(ctx context.Context, call *call) (*http.Request, error) {
	credentials, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	request := (&http.Request{
		Method: http.MethodPost, URL: call.url, Header: call.header.Clone(),
		ContentLength: int64(len(call.body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(call.body)), nil },
	}).WithContext(ctx)
	request.Body, _ = request.GetBody()
	hash := sha256.Sum256(call.body)
	err = c.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), c.signing, c.cfg.Region, time.Now())
	return request, err
}
