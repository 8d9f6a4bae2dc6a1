package stack

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// PublicSecret is the default JWT secret of the system that Heliograph replaces. It appears in public documentation, so
// a deployment to AWS refuses it; a local stack uses it by default.
const PublicSecret = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"

// Config is a stack's configuration: the keys of `heliograph:` in Pulumi.<stack>.yaml. Pulumi.yaml declares and
// describes each key; settings.go defines the allowed values.
type Config struct {
	JWTSecret         string // shared secret of HS256, HS384 and HS512 tokens; empty with JWKSURL
	JWTSecretPrevious string // still accepted while the secret is being rotated
	JWKSURL           string // address of the public keys of RS, ES and EdDSA tokens
	JWTIssuer         string // required value of the claim iss; empty: not checked
	JWTAudience       string // required value of JWTAudienceClaim; empty: not checked
	JWTAudienceClaim  string // the claim that names what a token is for
	UserIDClaim       string // the claim that names the user

	OnlineQuery      string // "anyone", "claim" or "self": about whom a token may ask
	OnlineQueryClaim string // the claim by which a token may ask about everyone, under "claim"
	OnlineQueryScope string // what that claim must contain

	KeyGrace time.Duration // how old the secret or the keys may get while refreshing them fails

	Stage           string            // part of every name in AWS; empty: the stack's name
	Imports         map[string]string // by logical name: the id in AWS of a resource left by an earlier life of the stack
	ParameterPrefix string            // SSM path of the stack's parameters, without a trailing slash
	Tags            map[string]string // of every resource that can have tags

	AlarmEmail     string             // an address that receives pages and tickets
	AlarmTopicARN  string             // an existing SNS topic that pages go to
	TicketTopicARN string             // an existing SNS topic that tickets go to; empty: where pages go
	Thresholds     map[string]float64 // by kind of alarm, in the alarm's unit; missing kinds keep their default
	Severities     map[string]string  // by kind of alarm, or * for all others: page, ticket or none
	Objectives     map[string]float64 // by promise: which share of it is kept, in percent
	RunbookURL     string             // prefix of every runbook's address
	Alarms         string             // "full" or "essential": all alarms, or those that page
	Dashboard      string             // "full" or "essential": with each alarm's graph and log lines, or without
	DeployedAt     string             // RFC 3339: a line on every graph; empty: none

	LogRetentionDays int        // of every log group
	LogLevel         slog.Level // of every function
	LogSampling      float64    // 0 to 1: share of invocations whose lines below the level are written, too
	Tracing          string     // "active" or "passThrough": Lambda samples invocations, or follows their callers
	TraceSampling    float64    // 0 to 1: share of the invocations sampled by Lambda whose steps are traced

	MaxConnectionsPerUser int // further connects are refused

	PresenceGrace     time.Duration  // delay before a user who left is announced as offline
	ConnectionLease   time.Duration  // how long a connection counts as live without a check
	SweepRate         int            // the most GetConnection calls a second by sweep
	ExpiredTokens     string         // "close" or "keep": connections whose token has expired
	ThrottleRate      int            // requests a second that each API admits
	ThrottleBurst     int            // requests at once that each API admits
	MaxConcurrency    int            // how many batches send processes at once
	SendBatchWindow   time.Duration  // how long Lambda waits for a batch of send to fill, rounded up to seconds
	BroadcastRate     int            // users a second that a broadcast reaches at most
	IdempotencyWindow time.Duration  // how long a message's Id is remembered
	KeepLimit         map[string]int // the most that is kept for a user: messages, and bytes of their bodies
	CORSOrigins       []string       // web origins that may call the HTTP API from a browser

	ReservedConcurrency map[string]int // by function: executions that it has for itself, and no more; 0 or missing: none

	WebSocketDomain, HTTPDomain  string // custom domains, one for each API
	CertificateARN, HostedZoneID string // the domains' ACM certificate and Route 53 zone
	IPAddressType                string // "ipv4" or "dualstack": how clients can reach the APIs

	APIGatewayLogRole string // "auto", "create", "existing" or "off": the Region-wide role for WebSocket access logs
	Protect           bool   // deletion protection; the table outlives the stack

	// Local accepts values that are safe on a developer's machine only: PublicSecret, and keys from http://localhost. No
	// configuration file can set it.
	Local bool
}

// DefaultConfig is the configuration of a stack that sets nothing. Pulumi.yaml declares the same values.
func DefaultConfig() Config {
	return Config{
		JWTAudienceClaim: "aud",
		UserIDClaim:      "userId",
		KeyGrace:         time.Hour,

		OnlineQuery:      heliograph.Anyone,
		OnlineQueryClaim: "scope",
		OnlineQueryScope: "presence:read",

		Imports: map[string]string{},
		Tags:    map[string]string{},

		MaxConnectionsPerUser: 100,

		ParameterPrefix:   "/WebSocketAdapter",
		Thresholds:        map[string]float64{},
		Severities:        map[string]string{},
		Objectives:        map[string]float64{"connect": 99.9, "delivery": 99.5, "presence": 99},
		RunbookURL:        "docs/runbooks/",
		Alarms:            fullSize,
		Dashboard:         fullSize,
		LogRetentionDays:  14,
		LogLevel:          slog.LevelInfo,
		Tracing:           activeTracing,
		TraceSampling:     1,
		PresenceGrace:     5 * time.Second,
		ConnectionLease:   15 * time.Minute,
		SweepRate:         1000,
		ExpiredTokens:     "close",
		ThrottleRate:      10_000,
		ThrottleBurst:     5_000,
		MaxConcurrency:    3, // see graceConcurrency
		BroadcastRate:     500,
		IdempotencyWindow: 10 * time.Minute,
		KeepLimit:         map[string]int{"messages": 1000, "bytes": 4 << 20},
		CORSOrigins:       []string{},
		IPAddressType:     ipv4,
		APIGatewayLogRole: autoLogRole,

		ReservedConcurrency: map[string]int{},
	}
}

// namespace prefixes the configuration keys: it is the project's name in Pulumi.yaml.
const namespace = "heliograph:"

// LoadConfig applies the stack's configuration to the defaults and validates the result. The error names every fault at
// once.
func LoadConfig(ctx *pulumi.Context) (Config, error) { return load(ctx, DefaultConfig()) }

// LoadLocalConfig is LoadConfig for a local stack: its default secret is PublicSecret.
func LoadLocalConfig(ctx *pulumi.Context) (Config, error) {
	config := DefaultConfig()
	config.Local = true
	if published, _ := ctx.GetConfig(namespace + "jwksUrl"); published == "" {
		config.JWTSecret = PublicSecret
	}
	return load(ctx, config)
}

// ConfigKeys lists all keys that a stack's configuration may have, without their namespace.
func ConfigKeys() []string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.key
	}
	return keys
}

// load applies the stack's configuration to some defaults.
func load(ctx *pulumi.Context, config Config) (Config, error) {
	var faults []error
	for _, s := range settings {
		text, found := ctx.GetConfig(namespace + s.key)
		if !found {
			continue
		}
		if s.secret && text != "" && !ctx.IsConfigSecret(namespace+s.key) {
			faults = append(faults, fmt.Errorf("%s%s stands in plain text; encrypt it: pulumi config set --secret %s", namespace, s.key, s.key))
		}
		parsed := config
		if err := s.parse(&parsed, text); err != nil {
			faults = append(faults, s.fault(text)) // and keep the default, which is valid, so that the checks below still work
			continue
		}
		config = parsed
	}
	if err := errors.Join(append(faults, config.Validate(ctx.Stack()))...); err != nil {
		return Config{}, err
	}
	return config, nil
}

// unknownKeys names the keys of our namespace that the program does not read, most likely misspelled. Pulumi checks keys by
// their spelling in Pulumi.yaml alone, and hands over those that are not declared there. all is the whole configuration as
// the engine gives it in the environment variable PULUMI_CONFIG, a JSON object, or empty, as in tests.
func unknownKeys(all string) error {
	if all == "" {
		return nil
	}
	var values map[string]string
	if err := json.Unmarshal([]byte(all), &values); err != nil {
		return fmt.Errorf("reading %s: %w", pulumi.EnvConfig, err)
	}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if name, ours := strings.CutPrefix(key, namespace); ours && !slices.Contains(ConfigKeys(), name) {
			faults = append(faults, fmt.Errorf("%s is unknown; the keys are %s", key, strings.Join(ConfigKeys(), ", ")))
		}
	}
	return errors.Join(faults...)
}

// stage names the stack in AWS: the stack's own name, unless it was renamed since.
func (c Config) stage(stack string) string { return cmp.Or(c.Stage, stack) }

// Validate names every fault in a stack's configuration: the key, the value (never a secret's) and the allowed values.
func (c Config) Validate(stack string) error {
	var faults []error
	if !stageName.MatchString(c.stage(stack)) {
		faults = append(faults, fmt.Errorf("the stack's name or heliograph:stage is %q, which can't name an AWS stage; allowed are "+
			"a letter or digit and then at most 26 letters, digits, - and _", c.stage(stack)))
	}
	for _, s := range settings {
		if !s.valid(c) {
			faults = append(faults, s.fault(s.show(c)))
		}
	}
	return errors.Join(append(faults, c.contradictions()...)...)
}

// stageName matches names that the gateway accepts as a stage and every service accepts as part of a name: the longest,
// the role heliograph-<stage>-ap-southeast-1-disconnect, may have 64 characters.
var stageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,26}$`)

// contradictions returns faults in combinations of values, each of them allowed on its own.
func (c Config) contradictions() []error {
	var faults []error
	deny := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	deny(c.JWTSecret == "" && c.JWKSURL == "",
		"heliograph:jwtSecret is missing; set it (pulumi config set --secret jwtSecret), or heliograph:jwksUrl")
	deny(c.JWTSecret != "" && c.JWKSURL != "",
		"heliograph:jwtSecret and heliograph:jwksUrl are both set; allowed is one: shared secrets and public keys are never mixed")
	deny(c.JWTSecretPrevious != "" && c.JWTSecret == "",
		"heliograph:jwtSecretPrevious is set without heliograph:jwtSecret")
	deny((c.WebSocketDomain != "" || c.HTTPDomain != "") && (c.CertificateARN == "" || c.HostedZoneID == ""),
		"heliograph:webSocketDomain or heliograph:httpDomain is set; then heliograph:certificateArn and heliograph:hostedZoneId must be too")
	deny(c.WebSocketDomain != "" && c.WebSocketDomain == c.HTTPDomain,
		"heliograph:webSocketDomain and heliograph:httpDomain are both %q; one domain can't serve both APIs", c.HTTPDomain)
	// presence.MaxPage; above it, a broadcast is spread over several records, and one function can't be that fast.
	const page = 1000
	deny(c.BroadcastRate > page*c.MaxConcurrency,
		"heliograph:broadcastRate is %d; with heliograph:maxConcurrency %d, allowed is %d at most", c.BroadcastRate, c.MaxConcurrency, page*c.MaxConcurrency)
	// SQS would hand send more batches than it may work on, and the throttled ones count as received.
	reserved := c.ReservedConcurrency[heliograph.Send]
	deny(reserved > 0 && reserved < c.MaxConcurrency,
		"heliograph:reservedConcurrency of send is %d; allowed is heliograph:maxConcurrency, %d, or more", reserved, c.MaxConcurrency)
	return faults
}
