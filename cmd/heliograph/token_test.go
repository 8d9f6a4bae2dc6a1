package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"heliograph"
	"heliograph/auth"
	"heliograph/local"
	"heliograph/simulator/ssm"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

// withSecret is a target that has a secret and nothing else.
func withSecret(t *testing.T, secret string, outputs heliograph.Outputs) *target {
	t.Helper()
	store := ssm.New(ssm.Options{Region: "eu-west-1", Account: "123456789012"})
	outputs.ParameterPrefix = "/p"
	if _, err := store.Put(ssm.Parameter{Name: "/p/JwtSecret", Type: ssm.SecureString, Value: secret}, false); err != nil {
		t.Fatal(err)
	}
	return &target{Endpoints: local.Endpoints{Outputs: outputs}, aws: wiretest.Serve(t, store.Service(), wire.Options{})}
}

const ownSecret = "a secret of thirty-two bytes or more"

// TestMint proves that a token is made as each config key demands, judged by the verifier that the functions use, and
// that the user can be read back from it.
func TestMint(t *testing.T) {
	t.Parallel()
	for key, outputs := range map[string]heliograph.Outputs{
		"no key, an older stack's outputs": {},
		"userIdClaim":                      {UserIDClaim: "sub"},
		"jwtIssuer":                        {UserIDClaim: "userId", JWTIssuer: "https://issuer.example.com"},
		"jwtAudience":                      {UserIDClaim: "userId", JWTAudience: "push"},
		"all":                              {UserIDClaim: "https://example.com/uid", JWTIssuer: "us", JWTAudience: "them"},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			at := withSecret(t, ownSecret, outputs)
			token, err := at.mint(t.Context(), time.Now(), "ada", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			keys := auth.SecretKeys(awsssm.NewFromConfig(at.aws), "/p/JwtSecret", "", time.Hour, nil)
			rules := auth.Rules{UserIDClaim: outputs.UserIDClaim, Issuer: outputs.JWTIssuer, Audience: outputs.JWTAudience}
			if who, err := auth.NewVerifier(keys, rules).Verify(t.Context(), auth.Token(token)); err != nil || who.UserID != "ada" {
				t.Errorf("verified as %+v, %v", who, err)
			}
			if user, err := at.userOf(token); err != nil || user != "ada" {
				t.Errorf("userOf = %q, %v", user, err)
			}
		})
	}
}

// TestOthersKey proves that no token is made for a stack whose identity provider signs them, that the error asks for
// --token, and that a given token is used unread.
func TestOthersKey(t *testing.T) {
	t.Parallel()
	at := withSecret(t, ownSecret, heliograph.Outputs{JWKSURL: "https://issuer.example.com/keys"})
	_, err := credential{}.token(t.Context(), time.Now(), at, "ada", time.Minute)
	if !errors.Is(err, errOthersKey) || !strings.Contains(err.Error(), "--token") || !strings.Contains(err.Error(), at.JWKSURL) {
		t.Errorf("got %v", err)
	}
	if got, err := (credential{Token: "given"}).token(t.Context(), time.Now(), at, "ada", time.Minute); err != nil || got != "given" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUserOf proves which users a token can name, and that an error says what it lacks.
func TestUserOf(t *testing.T) {
	t.Parallel()
	at := &target{Endpoints: local.Endpoints{Outputs: heliograph.Outputs{UserIDClaim: "sub"}}}
	for claims, want := range map[string]string{
		`{"sub":"ada"}`:                "ada",
		`{"sub":12345678901234567890}`: "12345678901234567890",
		`{"userId":"ada"}`:             "! --token has no claim sub (config userIdClaim)",
		`{"sub":{"name":"ada"}}`:       "! --token has no claim sub",
		`not claims`:                   "! --token is not a JSON Web Token",
	} {
		part := base64.RawURLEncoding.EncodeToString
		got, err := at.userOf(part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature")))
		if err != nil {
			got = "! " + err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
}

// TestSampleToken proves that the seed's token is offered while the stack accepts it, and one that it accepts otherwise.
func TestSampleToken(t *testing.T) {
	t.Parallel()
	const seedSecret = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"
	for name, tt := range map[string]struct {
		secret  string
		outputs heliograph.Outputs
		seeds   bool
	}{
		"as it comes":      {seedSecret, heliograph.Outputs{UserIDClaim: "userId"}, true},
		"its own secret":   {ownSecret, heliograph.Outputs{}, false},
		"its own issuer":   {seedSecret, heliograph.Outputs{JWTIssuer: "us"}, false},
		"its own audience": {seedSecret, heliograph.Outputs{JWTAudience: "us"}, false},
		"its own claim":    {seedSecret, heliograph.Outputs{UserIDClaim: "uid"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := withSecret(t, tt.secret, tt.outputs)
			token, err := at.sampleToken(t.Context(), time.Now())
			if err != nil || (token == seedToken) != tt.seeds {
				t.Errorf("got %s, %v", token, err)
			}
			if user, err := at.userOf(token); err != nil || user != "1234" {
				t.Errorf("it names %q, %v", user, err)
			}
		})
	}
}

// TestStackOutputs proves that a deployed stack's outputs lead to the same behavior as an endpoints file.
func TestStackOutputs(t *testing.T) {
	outputs := heliograph.Outputs{
		WebSocketURL: "wss://a", HTTPURL: "https://b", SendQueueURL: "https://q", Region: "eu-west-1", ParameterPrefix: "/p",
		JWKSURL: "https://issuer.example.com/keys",
	}
	text, err := json.Marshal(outputs)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'stack output --json --stack dev' ] && printf '%s' '" + string(text) + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "pulumi"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	file := filepath.Join(t.TempDir(), "dev.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, where := range [][]string{{"--stack", "dev"}, {"--target", file}} {
		for _, command := range []string{"token --user ada", "connect --user ada", "online", "hello"} {
			var stdout, stderr bytes.Buffer
			w := world{stdout: &stdout, stderr: &stderr, now: time.Now}
			code := run(t.Context(), w, append(where, strings.Fields(command)...))
			if code != 1 || !strings.Contains(stderr.String(), errOthersKey.Error()) {
				t.Errorf("%v %s: exit code %d, %s", where, command, code, &stderr)
			}
		}
	}
}
