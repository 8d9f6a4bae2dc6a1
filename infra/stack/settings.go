package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"heliograph"
)

// setting is one configuration key.
type setting struct {
	key     string
	secret  bool
	allowed string                      // the allowed values, in words
	parse   func(*Config, string) error // parses the text in a stack file
	show    func(Config) string         // formats a value so that parse reads it back
	valid   func(Config) bool
	redact  func(string) string // what an error shows of a bad value; nil: all of it
}

// fault returns the error for a bad value.
func (s setting) fault(value string) error {
	if s.secret {
		return fmt.Errorf("%s%s is a secret of %d bytes; allowed is %s", namespace, s.key, len(value), s.allowed)
	}
	if s.redact != nil {
		value = s.redact(value)
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
	text("jwtAudienceClaim", func(c *Config) *string { return &c.JWTAudienceClaim }, `^.{1,128}$`, "1 to 128 characters"),
	text("userIdClaim", func(c *Config) *string { return &c.UserIDClaim }, `^.{1,128}$`, "1 to 128 characters"),
	oneOf("onlineQuery", func(c *Config) *string { return &c.OnlineQuery }, same, shown, heliograph.Anyone, heliograph.Claim, heliograph.Own),
	text("onlineQueryClaim", func(c *Config) *string { return &c.OnlineQueryClaim }, `^.{1,128}$`, "1 to 128 characters"),
	// The characters of a scope in RFC 6749, section 3.3.
	text("onlineQueryScope", func(c *Config) *string { return &c.OnlineQueryScope }, `^[!#-\[\]-~]{1,128}$`,
		`1 to 128 printable ASCII characters without space, " and \`),
	// The lower bound is how often they are read again: no shorter grace can be noticed.
	duration("keyGrace", func(c *Config) *time.Duration { return &c.KeyGrace }, 5*time.Minute, 24*time.Hour),

	text("stage", func(c *Config) *string { return &c.Stage }, `^([A-Za-z0-9][A-Za-z0-9_-]{0,26})?$`,
		"a letter or digit and then at most 26 letters, digits, - and _, or nothing"),
	object("imports", func(c *Config) *map[string]string { return &c.Imports },
		`an object of AWS ids by resource, such as {"state-table": "heliograph-prod"}`, func(name, id string) bool { return name != "" && id != "" }),
	checked("parameterPrefix", func(c *Config) *string { return &c.ParameterPrefix }, isParameterPrefix,
		"an SSM path such as /WebSocketAdapter/dev: 1 to 5 parts of letters, digits, _ . and -, each after a slash, and not beginning with /aws or /ssm"),
	tags("tags", func(c *Config) *map[string]string { return &c.Tags }),

	checked("alarmEmail", func(c *Config) *string { return &c.AlarmEmail }, isEmail, "an e-mail address, or nothing"),
	text("alarmTopicArn", func(c *Config) *string { return &c.AlarmTopicARN }, topicARN, "the ARN of an SNS topic, or nothing"),
	text("ticketTopicArn", func(c *Config) *string { return &c.TicketTopicARN }, topicARN, "the ARN of an SNS topic, or nothing"),
	object("thresholds", func(c *Config) *map[string]float64 { return &c.Thresholds },
		"an object of numbers above 0 by alarm, see docs/alarms.md", func(alarm string, n float64) bool { return isAlarm(alarm) && n > 0 }),
	object("severities", func(c *Config) *map[string]string { return &c.Severities },
		"an object of page, ticket or none by alarm or *, see docs/alarms.md", func(alarm, s string) bool {
			return (alarm == "*" || isAlarm(alarm)) && slices.Contains([]severity{page, ticket, silent}, severity(s))
		}),
	object("objectives", func(c *Config) *map[string]float64 { return &c.Objectives },
		"an object of percentages from 50 to 99.999 by promise: connect, delivery, presence", isObjective),
	text("runbookUrl", func(c *Config) *string { return &c.RunbookURL }, `^(https?://[^\s"<>]+/|docs/runbooks/)$`,
		"the address of a folder with the runbooks, ending in a slash"),
	oneOf("alarms", func(c *Config) *string { return &c.Alarms }, same, shown, fullSize, essentialSize),
	oneOf("dashboard", func(c *Config) *string { return &c.Dashboard }, same, shown, fullSize, essentialSize),
	checked("deployedAt", func(c *Config) *string { return &c.DeployedAt }, isTime, "a time such as 2026-01-02T03:04:05Z, or nothing"),

	oneOf("logRetentionDays", func(c *Config) *int { return &c.LogRetentionDays }, strconv.Atoi, strconv.Itoa, retentions...),
	oneOf("logLevel", func(c *Config) *slog.Level { return &c.LogLevel }, parseLevel, levelName,
		slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError),
	share("logSampling", func(c *Config) *float64 { return &c.LogSampling }),
	oneOf("tracing", func(c *Config) *string { return &c.Tracing }, same, shown, activeTracing, passThroughTracing),
	share("traceSampling", func(c *Config) *float64 { return &c.TraceSampling }),

	// SQS delays a message by 15 minutes at most, and the grace period is such a delay.
	duration("presenceGrace", func(c *Config) *time.Duration { return &c.PresenceGrace }, 0, 15*time.Minute),
	// A message is posted to all connections of its users, and counting more than 4,000 would take a second page.
	number("maxConnectionsPerUser", func(c *Config) *int { return &c.MaxConnectionsPerUser }, 1, 1000),
	// A connection lives for 2 hours at most.
	duration("connectionLease", func(c *Config) *time.Duration { return &c.ConnectionLease }, time.Minute, 2*time.Hour),
	// An account's default quota is 10,000 requests a second for all APIs of a Region.
	number("sweepRate", func(c *Config) *int { return &c.SweepRate }, 1, 10_000),
	oneOf("expiredTokens", func(c *Config) *string { return &c.ExpiredTokens }, same, shown, "close", "keep"),
	// The upper bounds are far above an account's default quota, which applies anyway: 10,000 a second, bursts of
	// 5,000.
	number("throttleRate", func(c *Config) *int { return &c.ThrottleRate }, 1, 1_000_000),
	number("throttleBurst", func(c *Config) *int { return &c.ThrottleBurst }, 1, 1_000_000),
	// The bounds are Lambda's for the concurrency of an SQS event source.
	number("maxConcurrency", func(c *Config) *int { return &c.MaxConcurrency }, 2, 1000),
	// Lambda waits for 5 minutes at most; messages that may wait for more than one need no push.
	duration("sendBatchWindow", func(c *Config) *time.Duration { return &c.SendBatchWindow }, 0, time.Minute),
	// A step of a broadcast takes a second and reads one page of the online list, which holds 1000 users at most.
	number("broadcastRate", func(c *Config) *int { return &c.BroadcastRate }, 1, 10_000),
	duration("idempotencyWindow", func(c *Config) *time.Duration { return &c.IdempotencyWindow }, time.Minute, 24*time.Hour),
	object("keepLimit", func(c *Config) *map[string]int { return &c.KeepLimit },
		`an object of whole numbers: messages from 1 to 100000, and bytes from 1024 to 104857600`, isKeepLimit),
	origins("corsOrigins", func(c *Config) *[]string { return &c.CORSOrigins }),

	object("reservedConcurrency", func(c *Config) *map[string]int { return &c.ReservedConcurrency },
		`an object of whole numbers from 0 to 10000 by function, authorizer, connect or send, such as {"authorizer": 100}`,
		func(function string, n int) bool {
			return slices.Contains([]string{heliograph.Authorizer, heliograph.Connect, heliograph.Send}, function) && n >= 0 && n <= 10_000
		}),

	domain("webSocketDomain", func(c *Config) *string { return &c.WebSocketDomain }),
	domain("httpDomain", func(c *Config) *string { return &c.HTTPDomain }),
	text("certificateArn", func(c *Config) *string { return &c.CertificateARN }, `^(arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+)?$`,
		"the ARN of an ACM certificate, or nothing"),
	text("hostedZoneId", func(c *Config) *string { return &c.HostedZoneID }, `^(Z[A-Z0-9]{1,31})?$`, "the id of a Route 53 zone, or nothing"),
	oneOf("ipAddressType", func(c *Config) *string { return &c.IPAddressType }, same, shown, ipv4, dualstack),

	oneOf("apiGatewayLogRole", func(c *Config) *string { return &c.APIGatewayLogRole }, same, shown,
		autoLogRole, createLogRole, existingLogRole, offLogRole),
	oneOf("protect", func(c *Config) *bool { return &c.Protect }, parseBool, strconv.FormatBool, false, true),
}

// maxTags leaves room for the stack's own tags: AWS allows 50 for a resource.
const maxTags = 40

// tagText matches the characters that every service allows in tags. Source: "Tag naming limits and requirements", Tagging
// AWS Resources.
var tagText = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]*$`)

// tags is an object of tags.
func tags(key string, field func(*Config) *map[string]string) setting {
	s := object(key, field, fmt.Sprintf(`an object of up to %d texts such as {"Team": "push"}: letters, digits, spaces and _ . : / = + - @, `+
		`keys of up to 128 characters that don't begin with aws:, values of up to 256`, maxTags), isTag)
	each := s.valid
	s.valid = func(c Config) bool { return len(*field(&c)) <= maxTags && each(c) }
	return s
}

func isTag(key, value string) bool {
	return key != "" && !strings.HasPrefix(strings.ToLower(key), "aws:") && utf8.RuneCountInString(key) <= 128 &&
		utf8.RuneCountInString(value) <= 256 && tagText.MatchString(key) && tagText.MatchString(value)
}

const topicARN = `^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+)?$`

// retentions are the numbers of days that CloudWatch Logs offers. 0, for ever, is left out on purpose.
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// value returns the setting for a field of any type.
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

// checked is a text that must satisfy a rule.
func checked(key string, field func(*Config) *string, valid func(string) bool, allowed string) setting {
	return value(key, allowed, field, same, shown, valid)
}

// text is a text that must match a pattern.
func text(key string, field func(*Config) *string, pattern, allowed string) setting {
	return checked(key, field, regexp.MustCompile(pattern).MatchString, allowed)
}

// domain is a host name of at least two labels, in lower case as Route 53 stores it.
func domain(key string, field func(*Config) *string) setting {
	const label = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	return text(key, field, `^(`+label+`(\.`+label+`)+)?$`, "a domain name such as push.example.com, in lower case, or nothing")
}

// secretText is an HMAC secret: RFC 7518 demands a key as long as the hash, and 32 bytes suffice for HS256. The verifier
// accepts HS384 and HS512 with 48 and 64. A parameter in SSM's standard tier holds 4 KB.
func secretText(key string, field func(*Config) *string) setting {
	s := checked(key, field, nil, "32 to 4096 bytes, not one text repeated, and not the public default secret of the documentation")
	s.secret = true
	s.valid = func(c Config) bool {
		secret := *field(&c)
		return secret == "" || (c.Local && secret == PublicSecret) ||
			(heliograph.SecretBytes(secret) >= 32 && len(secret) <= 4096 && secret != PublicSecret)
	}
	return s
}

// keysAddress is where public keys are fetched from. Over plain HTTP, anyone on the path could substitute keys.
func keysAddress(key string, field func(*Config) *string) setting {
	s := checked(key, field, nil, "an https:// address without user, password and fragment, or nothing")
	s.redact = withoutSecrets
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

// withoutSecrets returns an address without its user, password, query and fragment, which may hold a key. Of a text that
// is no address it shows nothing, since it can't tell the parts apart.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Sprintf("(%d bytes, not shown)", len(address))
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

var parameterPath = regexp.MustCompile(`^(/[A-Za-z0-9_.-]{1,128}){1,5}$`)

// isParameterPrefix reports whether SSM accepts parameters below a path. SSM reserves paths that start with aws or ssm,
// in any case.
func isParameterPrefix(path string) bool {
	lower := strings.ToLower(path)
	return parameterPath.MatchString(path) && !strings.HasPrefix(lower, "/aws") && !strings.HasPrefix(lower, "/ssm")
}

// isLoopback reports whether a host name leads to this machine alone.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// oneOf is one value of a fixed list.
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

// share is a number from 0 to 1. Pulumi.yaml has no such type, so it is declared as a text there.
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

// origins is a list of web origins, in JSON.
func origins(key string, field func(*Config) *[]string) setting {
	return value(key, `a list of web origins such as ["https://app.example.com"], or ["*"], ["https://*"] or ["http://*"]`, field,
		func(text string) (list []string, err error) { return list, decode(text, &list) },
		encode[[]string],
		func(list []string) bool {
			return !slices.ContainsFunc(list, func(o string) bool { return !isOrigin(o) })
		})
}

// isOrigin reports whether a text is an origin as browsers send it: scheme, host in lower case, a port unless it is the
// scheme's own, nothing else. API Gateway knows three wildcards; within a host, a * would match nothing.
func isOrigin(text string) bool {
	if text == "*" || text == "https://*" || text == "http://*" {
		return true
	}
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "*") || text != strings.ToLower(text) || u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return false
	}
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == u.Scheme+"://"+u.Host
}

// object is a JSON object whose members override the defaults one by one.
func object[V any](key string, field func(*Config) *map[string]V, allowed string, valid func(string, V) bool) setting {
	s := value(key, allowed, field, nil, encode[map[string]V], func(all map[string]V) bool {
		for name, v := range all {
			if !valid(name, v) {
				return false
			}
		}
		return true
	})
	s.parse = func(c *Config, text string) error {
		all := maps.Clone(*field(c))
		if err := decode(text, &all); err != nil {
			return err
		}
		if all == nil { // the text was null
			return errors.New("not an object")
		}
		*field(c) = all
		return nil
	}
	return s
}

// alarmKinds is the set of names that thresholds and severities may use.
var alarmKinds = sync.OnceValue(func() map[string]bool {
	kinds := map[string]bool{}
	d := &deployment{stage: "any", config: DefaultConfig()}
	for _, a := range d.alarms(queues{}, alarmTargets{pages: []alarmTarget{{topic: "any"}}}) {
		kinds[a.kind] = true
	}
	return kinds
})

func isAlarm(kind string) bool { return alarmKinds()[kind] }

func isObjective(promise string, percent float64) bool {
	_, known := DefaultConfig().Objectives[promise]
	return known && percent >= 50 && percent <= 99.999
}

// isKeepLimit: the bounds leave room for what a function can read and post within its time-out.
func isKeepLimit(of string, n int) bool {
	return of == "messages" && n >= 1 && n <= 100_000 || of == "bytes" && n >= 1<<10 && n <= 100<<20
}

// decode reads JSON of exactly the shape of a value; members that the text omits keep their values.
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

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return text == "" || err == nil
}

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return text == "" || (err == nil && address.Address == text)
}

// parseLevel takes a level's plain name. slog would accept "info+2", too, which is surely a mistake.
func parseLevel(text string) (level slog.Level, err error) {
	if err = level.UnmarshalText([]byte(text)); err == nil && levelName(level) != strings.ToLower(text) {
		err = errors.New("not a level's name")
	}
	return level, err
}

func levelName(level slog.Level) string { return strings.ToLower(level.String()) }

// parseBool accepts only true and false, as Pulumi.yaml's type boolean does.
func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err == nil && strconv.FormatBool(b) != text {
		err = errors.New("neither true nor false")
	}
	return b, err
}

func same(text string) (string, error) { return text, nil }
func shown(text string) string         { return text }
