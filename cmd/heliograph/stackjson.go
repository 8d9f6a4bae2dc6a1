package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// ask reads what the local stack tells about itself as JSON, from a path under its AWS endpoint.
func (t *target) ask(ctx context.Context, path string, to any) error {
	if t.AWSEndpointURL == "" {
		return errors.New("only a local stack tells this; see " + t.DashboardURL + " for a deployed one")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.AWSEndpointURL+path, nil)
	if err != nil {
		return fmt.Errorf("ask the local stack: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the local stack: is it running? %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refused struct{ Error string }
		_ = json.NewDecoder(response.Body).Decode(&refused) // the status says enough without it
		return fmt.Errorf("the local stack answered %s to %s: %s", response.Status, path, refused.Error)
	}
	if err := json.NewDecoder(response.Body).Decode(to); err != nil {
		return fmt.Errorf("read the local stack's answer to %s: %w", path, err)
	}
	return nil
}
