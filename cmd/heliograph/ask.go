package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"heliograph/simulator/loopback"
)

// ask reads JSON about the local stack itself from a path under its AWS endpoint.
func (t *target) ask(ctx context.Context, path string, to any) error {
	return t.tell(ctx, http.MethodGet, path, nil, to)
}

// tell sends JSON to a path under the local stack's AWS endpoint and decodes the JSON response; nil means no body. A
// refusal becomes an error in the stack's own words.
func (t *target) tell(ctx context.Context, method, path string, in, out any) error {
	if t.AWSEndpointURL == "" {
		return errors.New("only a local stack can be asked this; a deployed one has its dashboard at " + t.DashboardURL)
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("ask the local stack: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, t.AWSEndpointURL+path, body)
	if err != nil {
		return fmt.Errorf("ask the local stack: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(loopback.WriteHeader, t.AccessKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the local stack: %w", err)
	}
	defer response.Body.Close()
	return readAnswer(response, path, out)
}

func readAnswer(response *http.Response, path string, out any) error {
	if response.StatusCode >= http.StatusBadRequest {
		var refused struct{ Error string }
		if err := json.NewDecoder(response.Body).Decode(&refused); err != nil || refused.Error == "" {
			return fmt.Errorf("the local stack answered %s to %s", response.Status, path)
		}
		return errors.New(refused.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("read the local stack's answer to %s: %w", path, err)
	}
	return nil
}
