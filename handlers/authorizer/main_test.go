package main

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caarlos0/env/v11"
)

// variables is the environment set by the Pulumi program for secrets in SSM.
func variables(changes map[string]string) map[string]string {
	v := map[string]string{
		"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0",
		"JWT_SECRET_PARAMETER":          "/WebSocketAdapter/dev/JwtSecret",
		"JWT_SECRET_PREVIOUS_PARAMETER": "",
		"JWKS_URL":                      "",
		"JWT_ISSUER":                    "",
		"JWT_AUDIENCE":                  "",
		"JWT_AUDIENCE_CLAIM":            "aud",
		"USER_ID_CLAIM":                 "userId",
		"ONLINE_QUERY_CLAIM":            "",
		"ONLINE_QUERY_SCOPE":            "",
		"KEY_GRACE":                     "1h0m0s",
	}
	maps.Copy(v, changes)
	return v
}

func TestBuild(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes map[string]string
		want    string // part of the error; empty: fine
	}{
		"secret":                 {nil, ""},
		"secret and previous":    {map[string]string{"JWT_SECRET_PREVIOUS_PARAMETER": "/p"}, ""},
		"key set":                {map[string]string{"JWT_SECRET_PARAMETER": "", "JWKS_URL": "https://id.example/jwks"}, ""},
		"neither":                {map[string]string{"JWT_SECRET_PARAMETER": ""}, "JWT_SECRET_PARAMETER and JWKS_URL"},
		"both":                   {map[string]string{"JWKS_URL": "https://id.example/jwks"}, "JWT_SECRET_PARAMETER and JWKS_URL"},
		"key set and a previous": {map[string]string{"JWT_SECRET_PARAMETER": "", "JWKS_URL": "https://id.example/jwks", "JWT_SECRET_PREVIOUS_PARAMETER": "/p"}, "JWT_SECRET_PREVIOUS_PARAMETER"},
		"key set over http":      {map[string]string{"JWT_SECRET_PARAMETER": "", "JWKS_URL": "http://id.example/jwks"}, "JWKS_URL: the key set's address must be https"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := env.ParseAsWithOptions[environment](env.Options{Environment: variables(test.changes)})
			if err != nil {
				t.Fatalf("reading the environment: %v", err)
			}
			handler, err := build(context.Background(), aws.Config{Region: "eu-west-1"}, e)
			switch {
			case test.want == "" && (err != nil || handler == nil):
				t.Errorf("build: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("build = %v, want an error with %q", err, test.want)
			}
		})
	}
}
