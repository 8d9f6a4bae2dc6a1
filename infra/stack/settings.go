package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one configuration key.
type setting struct {
	key     string
	secret  bool
	allowed string                      // what may stand there, in words
	parse   func(*Config, string) error // takes the text of a stack file
	show    func(Config) string         // gives the text that parse takes
	valid   func(Config) bool
}

// fault is the error of a bad value.
func (s setting) fault(value string) error {
	if s.secret {
		return fmt.Errorf("%s%s is a secret of %d bytes; allowed is %s", namespace, s.key, len(value), s.allowed)
	}
	return fmt.Errorf("%s%s is %q; allowed is %s", namespace, s.key, value, s.allowed)
}

// settings are all configuration keys, in the order of Config.
var settings = []setting{
	secretText("jwtSecret", func(c *Config) *string { return &c.JWTSecret }),
	secretText("jwtSecretPrevious", func(c *Config) *string { return &c.JWTSecretPrevious }),
	keysAddress("jwksUrl", func(c *Config) *string { return &c.JWKSURL }),
	text("jwtIssuer", func(c *Config) *string { return &c.JWTIssuer }, `^.{0,512}$`, "at most 512 characters"),
	text("jwtAudience", func(c *Config) *string { return &c.JWTAudience }, `^.{0,512}$`, "at most 512 characters"),
	text("userIdClaim", func(c *Config) *string { return &c.UserIDClaim }, `^.{1,128}$`, "1 to 128 characters"),

	text("parameterPrefix", func(c *Config) *string { return &c.ParameterPrefix }, `^(/[A-Za-z0-9_.-]{1,128}){1,5}$`,
		"an SSM path such as /WebSocketAdapter/dev: 1 to 5 parts of letters, digits, _ . and -, each behind a slash"),

	checked("alarmEmail", func(c *Config) *string { return &c.AlarmEmail }, isEmail, "an e-mail address, or nothing"),
	text("alarmTopicArn", func(c *Config) *string { return &c.AlarmTopicARN }, `^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+)?$`,
		"the ARN of an SNS topic, or nothing"),
	thresholds("thresholds", func(c *Config) *Thresholds { return &c.Thresholds }),

	oneOf("logRetentionDays", func(c *Config) *int { return &c.LogRetentionDays }, strconv.Atoi, strconv.Itoa, retentions...),
	oneOf("logLevel", func(c *Config) *slog.Level { return &c.LogLevel }, parseLevel, levelName,
		slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError),
	share("logSampling", func(c *Config) *float64 { return &c.LogSampling }),
	share("traceSampling", func(c *Config) *float64 { return &c.TraceSampling }),

	// SQS delays a message for 15 minutes at most, and the grace period is such a delay.
	duration("presenceGrace", func(c *Config) *time.Duration { return &c.PresenceGrace }, 0, 15*time.Minute),
	// A connection lives 2 hours at most.
	duration("connectionLease", func(c *Config) *time.Duration { return &c.ConnectionLease }, time.Minute, 2*time.Hour),
	// An account's default quota is 10,000 requests a second for all APIs of a Region.
	number("sweepRate", func(c *Config) *int { return &c.SweepRate }, 1, 10_000),
	oneOf("expiredTokens", func(c *Config) *string { return &c.ExpiredTokens }, same, shown, "close", "keep"),
	// The bounds are Lambda's, for the concurrency of an SQS event source.
	number("maxConcurrency", func(c *Config) *int { return &c.MaxConcurrency }, 2, 1000),
	// A step of a broadcast is a page of the online list, which has 1000 users at most, and takes a second.
	number("broadcastRate", func(c *Config) *int { return &c.BroadcastRate }, 1, 1000),
	duration("idempotencyWindow", func(c *Config) *time.Duration { return &c.IdempotencyWindow }, time.Minute, 24*time.Hour),
	origins("corsOrigins", func(c *Config) *[]string { return &c.CORSOrigins }),

	domain("webSocketDomain", func(c *Config) *string { return &c.WebSocketDomain }),
	domain("httpDomain", func(c *Config) *string { return &c.HTTPDomain }),
	text("certificateArn", func(c *Config) *string { return &c.CertificateARN }, `^(arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+)?$`,
		"the ARN of an ACM certificate, or nothing"),
	text("hostedZoneId", func(c *Config) *string { return &c.HostedZoneID }, `^(Z[A-Z0-9]{1,31})?$`, "the id of a Route 53 zone, or nothing"),

	oneOf("apiGatewayLogRole", func(c *Config) *string { return &c.APIGatewayLogRole }, same, shown, existingLogRole, createLogRole),
	oneOf("protect", func(c *Config) *bool { return &c.Protect }, parseBool, strconv.FormatBool, false, true),
}

// retentions are the numbers of days that CloudWatch Logs offers; 0, for ever, is not among them on purpose.
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// value makes the setting of a field of any type.
func value[T any](key, allowed string, field func(*Config) *T, parse func(string) (T, error), show func(T) string, valid func(T) bool) setting {
	return setting{
		key:     key,
		allowed: allowed,
		parse: func(c *Config, text string) (err error) {
			*field(c), err = parse(text)
			return err
		},
		show:  func(c Config) string { return show(*field(&c)) },
		valid: func(c Config) bool { return valid(*field(&c)) },
	}
}

// checked is a text with a rule.
func checked(key string, field func(*Config) *string, valid func(string) bool, allowed string) setting {
	return value(key, allowed, field, same, shown, valid)
}

// text is a text of a pattern.
func text(key string, field func(*Config) *string, pattern, allowed string) setting {
	return checked(key, field, regexp.MustCompile(pattern).MatchString, allowed)
}

// domain is a host name of at least two labels, in lower case as Route 53 keeps it.
func domain(key string, field func(*Config) *string) setting {
	const label = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	return text(key, field, `^(`+label+`(\.`+label+`)+)?$`, "a domain name such as push.example.com, in lower case, or nothing")
}

// secretText is a secret of HMAC: RFC 7518 wants a key as long as the hash, and 32 bytes serve HS256. A parameter of
// SSM's standard tier holds 4 KB.
func secretText(key string, field func(*Config) *string) setting {
	s := checked(key, field, nil, "32 to 4096 bytes, and not the public default secret of the documentation")
	s.secret = true
	s.valid = func(c Config) bool {
		secret := *field(&c)
		return secret == "" || (c.Local && secret == PublicSecret) ||
			(len(secret) >= 32 && len(secret) <= 4096 && secret != PublicSecret)
	}
	return s
}

// keysAddress is where public keys are fetched from. Over plain HTTP anybody on the way could be anyone.
func keysAddress(key string, field func(*Config) *string) setting {
	s := checked(key, field, nil, "an https:// address, or nothing")
	s.valid = func(c Config) bool {
		text := *field(&c)
		u, err := url.Parse(text)
		switch {
		case text == "":
			return true
		case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
			return false
		}
		return u.Scheme == "https" || (c.Local && u.Scheme == "http" && isLoopback(u.Hostname()))
	}
	return s
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// oneOf is one of a few values.
func oneOf[T comparable](key string, field func(*Config) *T, parse func(string) (T, error), show func(T) string, among ...T) setting {
	names := make([]string, len(among))
	for i, v := range among {
		names[i] = show(v)
	}
	return value(key, "one of "+strings.Join(names, ", "), field, parse, show, func(v T) bool { return slices.Contains(among, v) })
}

// number is a whole number within bounds.
func number(key string, field func(*Config) *int, low, high int) setting {
	return value(key, fmt.Sprintf("a whole number from %d to %d", low, high), field, strconv.Atoi, strconv.Itoa,
		func(n int) bool { return n >= low && n <= high })
}

// share is a number from 0 to 1. Pulumi.yaml knows no such type, so it is a text there.
func share(key string, field func(*Config) *float64) setting {
	return value(key, "a number from 0 to 1", field,
		func(text string) (float64, error) { return strconv.ParseFloat(text, 64) },
		func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) },
		func(f float64) bool { return f >= 0 && f <= 1 })
}

// duration is a time within bounds.
func duration(key string, field func(*Config) *time.Duration, low, high time.Duration) setting {
	return value(key, fmt.Sprintf("a time from %v to %v, such as 90s or 15m", low, high), field, time.ParseDuration, time.Duration.String,
		func(d time.Duration) bool { return d >= low && d <= high })
}

// origins is a list of web origins, as JSON.
func origins(key string, field func(*Config) *[]string) setting {
	return value(key, `a list of web origins such as ["https://app.example.com"], or ["*"]`, field,
		func(text string) (list []string, err error) { return list, decode(text, &list) },
		encode[[]string],
		func(list []string) bool {
			return !slices.ContainsFunc(list, func(o string) bool { return !isOrigin(o) })
		})
}

// isOrigin knows an origin as browsers send it: scheme, host, perhaps a port, nothing else.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return text == "*" || (err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == u.Scheme+"://"+u.Host)
}

// thresholds is an object of which any part may be left out.
func thresholds(key string, field func(*Config) *Thresholds) setting {
	s := value(key, `an object of whole numbers from 1: sendFailures, deadLetters, activeConnections, functionErrors, messageAge`,
		field, nil, encode[Thresholds], func(t Thresholds) bool {
			return min(t.SendFailures, t.DeadLetters, t.ActiveConnections, t.FunctionErrors, t.MessageAge) > 0
		})
	s.parse = func(c *Config, text string) error { return decode(text, field(c)) }
	return s
}

// decode reads JSON of exactly the shape of a value; what the text leaves out stays as it is.
func decode(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one value")
	}
	return nil
}

func encode[T any](v T) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text.String())
}

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return text == "" || (err == nil && address.Address == text)
}

// parseLevel takes a level's plain name. slog would take "info+2" too, which nobody means.
func parseLevel(text string) (level slog.Level, err error) {
	if err = level.UnmarshalText([]byte(text)); err == nil && levelName(level) != strings.ToLower(text) {
		err = errors.New("not a level's name")
	}
	return level, err
}

func levelName(level slog.Level) string { return strings.ToLower(level.String()) }

// parseBool takes true and false only, as Pulumi.yaml's type boolean does.
func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err == nil && strconv.FormatBool(b) != text {
		err = errors.New("neither true nor false")
	}
	return b, err
}

func same(text string) (string, error) { return text, nil }
func shown(text string) string         { return text }
