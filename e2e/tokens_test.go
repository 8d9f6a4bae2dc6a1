package e2e

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph/local"
)

// TestTokensFollowTheStack proves that the command line's tokens are accepted by a stack that demands other claims and
// has another secret, and so are the commands that `local` prints.
func TestTokensFollowTheStack(t *testing.T) {
	t.Parallel()
	p, at, file := startPrinting(t, "--hello", "--config", "userIdClaim=sub", "--config", "jwtIssuer=https://issuer.example.com",
		"--config", "jwtAudience=push", "--config", "jwtSecret=the stack of this test has a secret of its own")
	if !strings.Contains(p, `"Hello, world" arrived on the connection`) {
		t.Errorf("local --hello printed\n%s", p)
	}
	printed := regexp.MustCompile(`Authorization=(\S+?)"`).FindStringSubmatch(p)
	if printed == nil {
		t.Fatalf("local printed no token:\n%s", p)
	}
	reached{Endpoints: at}.connectWith(t, printed[1])
	reached{Endpoints: at}.connectWith(t, strings.TrimSpace(runCommand(t, file, "token", "--user", "ada")))
	if out := runCommand(t, file, "online"); !strings.Contains(out, "1234  ") || !strings.Contains(out, "ada   ") {
		t.Errorf("online printed\n%s", out)
	}
	listener := start(t, "--target", file, "connect", "--user", "bob")
	eventually(t, "bob is connected", func(context.Context) (bool, error) {
		return strings.Contains(listener.stderr.String(), "connected to"), nil
	})
}

// TestTokensOfAnIdentityProvider proves that with jwksUrl each command takes the provider's token, and none makes one.
func TestTokensOfAnIdentityProvider(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keys) }))
	t.Cleanup(provider.Close)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"userId": "ada", "exp": time.Now().Add(time.Hour).Unix()})
	unsigned.Header["kid"] = "1"
	token, err := unsigned.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	printed, _, file := startPrinting(t, "--hello", "--config", "jwksUrl="+provider.URL)
	for _, want := range []string{`connect --token "$TOKEN"`, `online --token "$TOKEN"`, `?Authorization=$TOKEN"`, `hello --token "$TOKEN"`} {
		if !strings.Contains(printed, want) {
			t.Errorf("local printed no %s:\n%s", want, printed)
		}
	}
	if out := runCommand(t, file, "hello", "--token", token); !strings.Contains(out, "connected as the user ada") {
		t.Errorf("hello printed\n%s", out)
	}
	if out := runCommand(t, file, "online", "--token", token, "ada"); !strings.Contains(out, "ada ") {
		t.Errorf("online printed\n%s", out)
	}
	for _, arguments := range []string{"hello", "online", "connect --user ada", "token --user ada"} {
		p := start(t, append([]string{"--target", file}, strings.Fields(arguments)...)...)
		if code := p.exit(t, patience); code != 1 || !strings.Contains(p.stderr.String(), "only an identity provider can sign") {
			t.Errorf("%s: exit code %d, %s", arguments, code, p.stderr)
		}
	}
}

// startPrinting runs `heliograph local` and returns what it printed until it said all that it has to say.
func startPrinting(t *testing.T, arguments ...string) (printed string, at local.Endpoints, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "local.json")
	p := start(t, append([]string{"--target", file, "local", "--port", "0"}, arguments...)...)
	for lines := bufio.NewScanner(p.stdout); lines.Scan(); {
		printed += lines.Text() + "\n"
		if strings.Contains(printed, "online read the table") || strings.Contains(printed, "hello --token") {
			go io.Copy(io.Discard, p.stdout)
			at, err := local.ReadEndpoints(file)
			if err != nil {
				t.Fatal(err)
			}
			return printed, at, file
		}
	}
	t.Fatalf("ended early, after\n%s\n%s", printed, p.stderr)
	return "", at, ""
}
