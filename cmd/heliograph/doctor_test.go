package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/local"
)

// TestVerdict proves the exit codes and both forms of the report.
func TestVerdict(t *testing.T) {
	t.Parallel()
	look := func(f finding, err error) func(context.Context) (finding, error) {
		return func(context.Context) (finding, error) { return f, err }
	}
	good := check{"good", problem, look(ok("as it should be"), nil)}
	doubtful := check{"doubtful", warning, look(finding{Mend: "ask"}, errors.New("no answer"))}
	broken := check{"broken", problem, look(finding{Costs: "all", Mend: "repair"}, errors.New("in two"))}
	for _, tt := range []struct {
		checks []check
		strict bool
		want   error
	}{
		{[]check{good}, true, nil},
		{[]check{good, doubtful}, false, nil},
		{[]check{good, doubtful}, true, exitCode(1)},
		{[]check{broken, doubtful}, false, exitCode(2)},
		{[]check{broken, doubtful}, true, exitCode(2)},
	} {
		r := report{w: &bytes.Buffer{}}
		for _, c := range tt.checks {
			if err := r.add(c.run(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.verdict(tt.strict); !errors.Is(got, tt.want) {
			t.Errorf("%d checks, strict %t: %v, want %v", len(tt.checks), tt.strict, got, tt.want)
		}
	}

	var text, printed bytes.Buffer
	inText, inJSON := report{w: &text}, report{w: &printed, json: true}
	for _, c := range []check{good, doubtful, broken} {
		f := c.run(t.Context())
		if err := errors.Join(inText.add(f), inJSON.add(f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(inText.end(), inJSON.end()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ok        good ", "can't be checked: no answer", "costs: all\n", "mend:  repair\n", "3 checked: 1 problems, 1 warnings\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
	var got struct {
		Problems, Warnings int
		Findings           []finding
	}
	if err := json.Unmarshal(printed.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inText.findings, got.Findings); diff != "" || got.Problems != 1 || got.Warnings != 1 {
		t.Errorf("%+v\n%s", got, diff)
	}
}

// TestWeakness proves which secrets count as easy to guess.
func TestWeakness(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{
		"short":                                 "has 5 bytes; it needs 32",
		strings.Repeat("a", 64):                 "repeats a text of 1 bytes",
		strings.Repeat("secret-of-mine-", 4):    "repeats a text of 15 bytes",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbcc":  "has too few different characters (3)",
		"f3a1b07c5d2e49886b1f0a9c7d3e5b24":      "",
		"correct horse battery staple and four": "",
	} {
		if got := weakness([]byte(secret)); got != want {
			t.Errorf("%q: %q, want %q", secret, got, want)
		}
	}
}

// TestSecret proves the verdicts on a stack's secret, none of which repeats it.
func TestSecret(t *testing.T) {
	t.Parallel()
	const published = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"
	for name, tt := range map[string]struct {
		secret, at string
		want       level
		says       string
	}{
		"good":              {ownSecret, "", fine, "not obviously weak"},
		"published, local":  {published, "http://127.0.0.1:1", fine, "which only a local stack accepts"},
		"published, on AWS": {published, "", problem, "is published"},
		"weak":              {strings.Repeat("abcd", 10), "", problem, "repeats a text of 4 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := withSecret(t, tt.secret, heliograph.Outputs{})
			at.AWSEndpointURL = tt.at
			f := check{"secret", problem, (&patient{target: at}).checkSecret}.run(t.Context())
			if f.Level != tt.want || !strings.Contains(f.Says, tt.says) || strings.Contains(f.Says, tt.secret) {
				t.Errorf("%+v", f)
			}
		})
	}
	gone := withSecret(t, ownSecret, heliograph.Outputs{})
	gone.ParameterPrefix = "/elsewhere"
	if f := (check{"secret", problem, (&patient{target: gone}).checkSecret}).run(t.Context()); f.Level != problem || !strings.Contains(f.Says, "/elsewhere/JwtSecret") || f.Mend == "" {
		t.Errorf("missing: %+v", f)
	}
}

// TestGivenToken proves that a given token is judged as the stack would.
func TestGivenToken(t *testing.T) {
	t.Parallel()
	at := withSecret(t, ownSecret, heliograph.Outputs{JWTAudience: "push"})
	other := withSecret(t, ownSecret, heliograph.Outputs{JWTAudience: "pull"})
	for audience, from := range map[string]*target{"push": at, "pull": other} {
		token, err := from.mint(t.Context(), time.Now(), "ada", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		p := &patient{target: at, w: world{now: time.Now}, credential: credential{token}}
		f := check{"token", problem, p.checkToken}.run(t.Context())
		if want := map[string]level{"push": fine, "pull": problem}[audience]; f.Level != want {
			t.Errorf("audience %s: %+v", audience, f)
		}
	}
	theirs := &patient{target: &target{Endpoints: local.Endpoints{Outputs: heliograph.Outputs{JWKSURL: "https://issuer.example.com"}}}, w: world{now: time.Now}}
	if f := (check{"token", problem, theirs.checkToken}).run(t.Context()); f.Level != warning || !strings.Contains(f.Mend, "--token") {
		t.Errorf("with jwksUrl: %+v", f)
	}
}

func TestSkewed(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]level{
		0: fine, 4 * time.Second: fine, -4 * time.Second: fine, 6 * time.Second: warning, -30 * time.Second: warning, 2 * time.Minute: problem, -time.Hour: problem,
	} {
		if got := skewed(ahead).Level; got != want {
			t.Errorf("%v ahead: %s, want %s", ahead, got, want)
		}
	}
}

// TestAddress proves that a name, a certificate and its end are looked at.
func TestAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	ends := server.Certificate().NotAfter
	for name, tt := range map[string]struct {
		address string
		roots   *x509.CertPool
		now     time.Time
		want    level
		says    string
	}{
		"good":        {server.URL, roots, ends.Add(-90 * 24 * time.Hour), fine, "resolves"},
		"ending":      {server.URL, roots, ends.Add(-10 * 24 * time.Hour), warning, "ends on " + ends.Format(time.DateOnly)},
		"untrusted":   {server.URL, x509.NewCertPool(), time.Now(), problem, "certificate"},
		"no name":     {"https://nowhere.invalid", roots, time.Now(), problem, "nowhere.invalid"},
		"here, plain": {"ws://127.0.0.1:4701/local", nil, time.Now(), fine, "this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := check{"address", problem, func(ctx context.Context) (finding, error) { return checkAddress(ctx, tt.address, tt.roots, tt.now) }}.run(t.Context())
			if f.Level != tt.want || !strings.Contains(f.Says, tt.says) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestFiring(t *testing.T) {
	t.Parallel()
	page, ticket, quiet := alarmState{Name: "a", State: "ALARM", Severity: "page"}, alarmState{Name: "b", State: "ALARM", Severity: "ticket"}, alarmState{Name: "c", State: "OK", Severity: "page"}
	part := alarmState{Name: "d", State: "ALARM", Severity: "none"}
	for want, list := range map[level][]alarmState{fine: {quiet, part}, warning: {quiet, ticket, part}, problem: {page, ticket, quiet}} {
		if got := (&patient{}).firing(list); got.Level != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if got := (&patient{}).firing([]alarmState{quiet, part}); got.Says != "none of 1 fires" {
		t.Errorf("%q counts an alarm that notifies no one", got.Says)
	}
}

// TestAccount proves how quotas and the log role are judged against the configuration.
func TestAccount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		check, config string
		have          float64
		want          level
	}{
		{"Lambda concurrency", `{}`, 1000, fine},
		{"Lambda concurrency", `{}`, 10, warning}, // a new account: the defaults just fit
		{"Lambda concurrency", `{"heliograph:maxConcurrency":{"value":"50"}}`, 10, problem},
		{"Lambda concurrency", `{"heliograph:maxConcurrency":{"value":"50"}}`, 100, warning},
		{"API Gateway rate", `{}`, 10_000, fine},
		{"API Gateway rate", `{"heliograph:throttleRate":{"value":"20000"}}`, 10_000, warning},
		{"new connections", `{}`, 500, fine},
		{"new connections", `{}`, 100, warning},
		{"log role", `{}`, 0, fine},
		{"log role", `{"heliograph:apiGatewayLogRole":{"value":"existing"}}`, 0, problem},
		{"log role", `{"heliograph:apiGatewayLogRole":{"value":"existing"}}`, 1, fine},
	} {
		config, err := parseConfig("dev", []byte(tt.config))
		if err != nil {
			t.Fatal(err)
		}
		a := &account{
			config: config, quota: func(context.Context, string, string) (float64, error) { return tt.have, nil },
			role: func(context.Context) (string, error) { return strings.Repeat("arn:role", int(tt.have)), nil },
		}
		for _, c := range a.checks() {
			if f := c.run(t.Context()); c.name == tt.check && (f.Level != tt.want || f.Level != fine && f.Mend == "") {
				t.Errorf("%s of %v with %s: %+v, want %s", tt.check, tt.have, tt.config, f, tt.want)
			}
		}
	}
}

// TestNames proves that a taken name is a problem, and one that could not be asked for is no free one.
func TestNames(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	for name, tt := range map[string]struct {
		asked map[string]error
		want  level
	}{
		"free":   {map[string]error{"a": errAbsent, "b": errAbsent}, fine},
		"taken":  {map[string]error{"a": nil, "b": errAbsent}, problem},
		"denied": {map[string]error{"a": denied, "b": errAbsent}, warning},
		"both":   {map[string]error{"a": denied, "b": nil}, problem},
	} {
		f := check{"names", warning, func(context.Context) (finding, error) { return judgeNames("dev", tt.asked) }}.run(t.Context())
		if f.Level != tt.want {
			t.Errorf("%s: %+v, want %s", name, f, tt.want)
		}
	}
}

// TestParseConfig proves that the stack's file is read as pulumi prints it, and that a bad value is reported.
func TestParseConfig(t *testing.T) {
	t.Parallel()
	got, err := parseConfig("dev", []byte(`{"aws:region":{"value":"eu-west-1","secret":false},"heliograph:jwtSecret":{"secret":true},
		"heliograph:parameterPrefix":{"value":"/p"},"heliograph:maxConcurrency":{"value":"8"}}`))
	want := stackConfig{stage: "dev", region: "eu-west-1", prefix: "/p", logRole: "auto", throttleRate: 10_000, batches: 12}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(stackConfig{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := parseConfig("dev", []byte(`{"heliograph:maxConcurrency":{"value":"many"}}`)); err == nil {
		t.Error("a bad value was not reported")
	}
}

// TestMendsNamePages proves that the pages that findings send a reader to are there.
func TestMendsNamePages(t *testing.T) {
	t.Parallel()
	page := regexp.MustCompile(`docs/[a-z/-]+\.md`)
	found := 0
	for _, file := range []string{"doctor_stack.go", "doctor_account.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range page.FindAllString(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join("..", "..", name)); err != nil {
				t.Errorf("%s names %s: %v", file, name, err)
			}
		}
	}
	if found == 0 {
		t.Error("no page was found: the test looks for the wrong words")
	}
}
