package stack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// loadKeys runs LoadConfig as Pulumi does, with keys as written in a stack file. Keys named in secrets are encrypted.
func loadKeys(stage string, keys map[string]string, secrets ...string) (Config, error) {
	return loadWith(LoadConfig, stage, keys, secrets...)
}

func loadWith(read func(*pulumi.Context) (Config, error), stage string, keys map[string]string, secrets ...string) (Config, error) {
	var config Config
	var loaded error
	qualified := map[string]string{}
	for key, value := range keys {
		qualified["heliograph:"+key] = value
	}
	for i := range secrets {
		secrets[i] = "heliograph:" + secrets[i]
	}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		config, loaded = read(ctx)
		return nil
	}, pulumi.WithMocks("heliograph", stage, &recorder{}), func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys = qualified, secrets
	})
	return config, errors.Join(loaded, err)
}

// TestLoadConfig proves that every key arrives in its field.
func TestLoadConfig(t *testing.T) {
	t.Parallel()
	got, err := loadKeys("dev", map[string]string{
		"stage": "before", "imports": `{"state-table":"t"}`,
		"jwtSecret": testSecret, "jwtSecretPrevious": testSecret + "2", "jwtIssuer": "issuer", "jwtAudience": "audience", "jwtAudienceClaim": "client_id", "userIdClaim": "sub", "keyGrace": "30m", "maxConnectionsPerUser": "8",
		"parameterPrefix": "/A/b", "alarmEmail": "ops@example.com", "alarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:pages",
		"ticketTopicArn": "arn:aws:sns:eu-west-1:123456789012:desk", "thresholds": `{"send-failures":7,"message-age":8.5}`,
		"severities": `{"*":"ticket","ghosts":"none"}`, "objectives": `{"delivery":99}`, "runbookUrl": "https://example.com/runbooks/",
		"alarms": "essential", "dashboard": "essential", "deployedAt": "2026-01-02T03:04:05Z", "logRetentionDays": "30", "logLevel": "warn", "logSampling": "0.01", "tracing": "passThrough", "traceSampling": "0.5",
		"presenceGrace": "7s", "connectionLease": "20m", "sweepRate": "300", "expiredTokens": "keep", "throttleRate": "11", "throttleBurst": "12", "maxConcurrency": "9", "sendBatchWindow": "2s", "broadcastRate": "77",
		"idempotencyWindow": "1h", "keepLimit": `{"bytes":2048}`, "corsOrigins": `["https://a.example.com","http://localhost:3000"]`,
		"onlineQuery": "claim", "onlineQueryClaim": "roles", "onlineQueryScope": "backend",
		"reservedConcurrency": `{"authorizer":20,"send":9,"connect":0}`,
		"webSocketDomain":     "push.example.com", "httpDomain": "api.example.com",
		"certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/abc-1", "hostedZoneId": "Z123",
		"apiGatewayLogRole": "create", "protect": "true", "jwksUrl": "",
		"tags": `{"Team":"push"}`, "ipAddressType": "dualstack",
	}, "jwtSecret", "jwtSecretPrevious")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Stage: "before", Imports: map[string]string{"state-table": "t"},
		JWTSecret: testSecret, JWTSecretPrevious: testSecret + "2", JWTIssuer: "issuer", JWTAudience: "audience", JWTAudienceClaim: "client_id", UserIDClaim: "sub", KeyGrace: 30 * time.Minute, MaxConnectionsPerUser: 8,
		ParameterPrefix: "/A/b", AlarmEmail: "ops@example.com", AlarmTopicARN: "arn:aws:sns:eu-west-1:123456789012:pages",
		TicketTopicARN: "arn:aws:sns:eu-west-1:123456789012:desk", Thresholds: map[string]float64{"send-failures": 7, "message-age": 8.5},
		Severities: map[string]string{"*": "ticket", "ghosts": "none"}, Objectives: map[string]float64{"connect": 99.9, "delivery": 99, "presence": 99},
		RunbookURL: "https://example.com/runbooks/", Alarms: essentialSize, Dashboard: essentialSize, DeployedAt: "2026-01-02T03:04:05Z",
		LogRetentionDays: 30, LogLevel: 4, LogSampling: 0.01, Tracing: passThroughTracing, TraceSampling: 0.5,
		PresenceGrace: 7 * time.Second, ConnectionLease: 20 * time.Minute, SweepRate: 300, ExpiredTokens: "keep", ThrottleRate: 11, ThrottleBurst: 12, MaxConcurrency: 9, SendBatchWindow: 2 * time.Second, BroadcastRate: 77,
		IdempotencyWindow: time.Hour, KeepLimit: map[string]int{"messages": 1000, "bytes": 2048}, CORSOrigins: []string{"https://a.example.com", "http://localhost:3000"},
		OnlineQuery: "claim", OnlineQueryClaim: "roles", OnlineQueryScope: "backend",
		ReservedConcurrency: map[string]int{"authorizer": 20, "send": 9, "connect": 0},
		WebSocketDomain:     "push.example.com", HTTPDomain: "api.example.com",
		CertificateARN: "arn:aws:acm:eu-west-1:123456789012:certificate/abc-1", HostedZoneID: "Z123",
		APIGatewayLogRole: "create", Protect: true,
		Tags: map[string]string{"Team": "push"}, IPAddressType: dualstack,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestLoadConfigDefaults proves that a stack has to set a secret and nothing else.
func TestLoadConfigDefaults(t *testing.T) {
	t.Parallel()
	got, err := loadKeys("dev", map[string]string{"jwtSecret": testSecret}, "jwtSecret")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testConfig(), got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestLoadConfigRefuses proves that every bad value is an error that names the key, shows the value (only its length
// for a secret) and lists the allowed values.
func TestLoadConfigRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key, value string
		want       string
	}{
		"secret too short":           {"jwtSecret", "hunter2hunter2", "heliograph:jwtSecret is a secret of 14 bytes; allowed is 32 to 4096 bytes"},
		"secret public":              {"jwtSecret", PublicSecret, "not the public default secret"},
		"former secret too short":    {"jwtSecretPrevious", "hunter2hunter2", "heliograph:jwtSecretPrevious is a secret of 14 bytes"},
		"former secret public":       {"jwtSecretPrevious", PublicSecret, "heliograph:jwtSecretPrevious is a secret of 35 bytes"},
		"keys by plain http":         {"jwksUrl", "http://id.example.com/keys", `heliograph:jwksUrl is "http://id.example.com/keys"; allowed is an https:// address`},
		"keys on loopback":           {"jwksUrl", "http://127.0.0.1/keys", "allowed is an https:// address"},
		"keys nowhere":               {"jwksUrl", "https://", `heliograph:jwksUrl is "(8 bytes, not shown)"; allowed is an https:// address`},
		"keys with a user":           {"jwksUrl", "https://hunter2@id.example.com/keys", `heliograph:jwksUrl is "https://id.example.com/keys"; allowed is an https:// address without user`},
		"keys with a password":       {"jwksUrl", "https://user:hunter2@id.example.com/keys", `heliograph:jwksUrl is "https://id.example.com/keys"; allowed`},
		"keys with a key, by http":   {"jwksUrl", "http://id.example.com/keys?code=hunter2", `heliograph:jwksUrl is "http://id.example.com/keys"; allowed`},
		"keys with a fragment":       {"jwksUrl", "https://id.example.com/keys#hunter2", `heliograph:jwksUrl is "https://id.example.com/keys"; allowed`},
		"keys without a scheme":      {"jwksUrl", "user:hunter2@id.example.com/keys", `heliograph:jwksUrl is "(32 bytes, not shown)"; allowed`},
		"keys at a broken port":      {"jwksUrl", "https://user:hunter2@id.example.com:port/", `heliograph:jwksUrl is "(41 bytes, not shown)"; allowed`},
		"queries by nobody":          {"onlineQuery", "nobody", `heliograph:onlineQuery is "nobody"; allowed is one of anyone, claim, self`},
		"a scope of two words":       {"onlineQueryScope", "a b", `heliograph:onlineQueryScope is "a b"; allowed is 1 to 128 printable ASCII`},
		"an empty scope":             {"onlineQueryScope", "", `heliograph:onlineQueryScope is ""; allowed`},
		"a scope of no claim":        {"onlineQueryClaim", "", `heliograph:onlineQueryClaim is ""; allowed is 1 to 128 characters`},
		"reservation for another":    {"reservedConcurrency", `{"sweep":1}`, `heliograph:reservedConcurrency is "{\"sweep\":1}"; allowed is an object of whole numbers from 0 to 10000 by function`},
		"reservation below zero":     {"reservedConcurrency", `{"connect":-1}`, "allowed is an object of whole numbers"},
		"reservation of a half":      {"reservedConcurrency", `{"connect":1.5}`, "allowed is an object of whole numbers"},
		"reservation not an object":  {"reservedConcurrency", `100`, "allowed is an object of whole numbers"},
		"secret of one character":    {"jwtSecret", strings.Repeat("x", 64), "heliograph:jwtSecret is a secret of 64 bytes; allowed is 32 to 4096 bytes, not one text repeated"},
		"secret of one word":         {"jwtSecret", strings.Repeat("hunter2", 8), "not one text repeated"},
		"audience in no claim":       {"jwtAudienceClaim", "", `heliograph:jwtAudienceClaim is ""; allowed is 1 to 128 characters`},
		"claim empty":                {"userIdClaim", "", `heliograph:userIdClaim is ""; allowed is 1 to 128 characters`},
		"keys for ever":              {"keyGrace", "25h", `heliograph:keyGrace is "25h0m0s"; allowed is a time from 5m0s to 24h0m0s`},
		"keys for no time":           {"keyGrace", "299s", `heliograph:keyGrace is "4m59s"; allowed is`},
		"no connection allowed":      {"maxConnectionsPerUser", "0", `heliograph:maxConnectionsPerUser is "0"; allowed is a whole number from 1 to 1000`},
		"prefix without slash":       {"parameterPrefix", "WebSocketAdapter", `heliograph:parameterPrefix is "WebSocketAdapter"; allowed is an SSM path`},
		"stage too long":             {"stage", strings.Repeat("s", 28), "at most 26 letters"},
		"import of nothing":          {"imports", `{"state-table":""}`, "an object of AWS ids by resource"},
		"prefix reserved":            {"parameterPrefix", "/AWSome", "not beginning with /aws or /ssm"},
		"prefix reserved, too":       {"parameterPrefix", "/ssm/x", "not beginning with /aws or /ssm"},
		"throttle zero":              {"throttleRate", "0", `heliograph:throttleRate is "0"; allowed is a whole number from 1 to 1000000`},
		"burst zero":                 {"throttleBurst", "0", `heliograph:throttleBurst is "0"`},
		"prefix with slash at end":   {"parameterPrefix", "/a/", "allowed is an SSM path"},
		"email without domain":       {"alarmEmail", "ops", `heliograph:alarmEmail is "ops"; allowed is an e-mail address`},
		"email with a name":          {"alarmEmail", "Ops <ops@example.com>", "allowed is an e-mail address"},
		"topic not an ARN":           {"alarmTopicArn", "pages", `heliograph:alarmTopicArn is "pages"; allowed is the ARN`},
		"threshold of no alarm":      {"thresholds", `{"posts-failed":1}`, `heliograph:thresholds is "{\"posts-failed\":1}"; allowed is an object`},
		"threshold zero":             {"thresholds", `{"message-age":0}`, `\"message-age\":0}"; allowed is an object of numbers above 0`},
		"thresholds not an object":   {"thresholds", `7`, "allowed is an object of numbers"},
		"thresholds null":            {"thresholds", `null`, "allowed is an object of numbers"},
		"severity unknown":           {"severities", `{"ghosts":"mail"}`, "allowed is an object of page, ticket or none"},
		"severity of no alarm":       {"severities", `{"ghost":"page"}`, "allowed is an object of page, ticket or none"},
		"objective too high":         {"objectives", `{"connect":100}`, "allowed is an object of percentages from 50 to 99.999"},
		"objective of nothing":       {"objectives", `{"pushing":99}`, "allowed is an object of percentages"},
		"runbooks without a slash":   {"runbookUrl", "https://example.com/runbooks", "ending in a slash"},
		"alarms of a size":           {"alarms", "small", "allowed is one of full, essential"},
		"deployed someday":           {"deployedAt", "yesterday", "allowed is a time such as"},
		"thresholds twice":           {"thresholds", `{} {}`, "allowed is an object of numbers"},
		"retention not offered":      {"logRetentionDays", "15", `heliograph:logRetentionDays is "15"; allowed is one of 1, 3, 5, 7, 14,`},
		"retention for ever":         {"logRetentionDays", "0", `heliograph:logRetentionDays is "0"`},
		"level unknown":              {"logLevel", "verbose", `heliograph:logLevel is "verbose"; allowed is one of debug, info, warn, error`},
		"level with offset":          {"logLevel", "info+2", `heliograph:logLevel is "info+2"`},
		"tracing otherwise":          {"tracing", "PassThrough", "allowed is one of active, passThrough"},
		"share over one":             {"traceSampling", "1.5", `heliograph:traceSampling is "1.5"; allowed is a number from 0 to 1`},
		"share in words":             {"traceSampling", "half", `heliograph:traceSampling is "half"`},
		"share not a number":         {"traceSampling", "NaN", `heliograph:traceSampling is "NaN"`},
		"grace too long":             {"presenceGrace", "16m", `heliograph:presenceGrace is "16m0s"; allowed is a time from 0s to 15m0s`},
		"grace without unit":         {"presenceGrace", "5", `heliograph:presenceGrace is "5"`},
		"lease too short":            {"connectionLease", "30s", `heliograph:connectionLease is "30s"; allowed is a time from 1m0s to 2h0m0s`},
		"rate zero":                  {"sweepRate", "0", `heliograph:sweepRate is "0"; allowed is a whole number from 1 to 10000`},
		"rate in words":              {"sweepRate", "fast", `heliograph:sweepRate is "fast"`},
		"expired tokens unknown":     {"expiredTokens", "drop", `heliograph:expiredTokens is "drop"; allowed is one of close, keep`},
		"concurrency one":            {"maxConcurrency", "1", `heliograph:maxConcurrency is "1"; allowed is a whole number from 2 to 1000`},
		"send window too long":       {"sendBatchWindow", "2m", `heliograph:sendBatchWindow is "2m0s"; allowed is a time from 0s to 1m0s`},
		"broadcast rate too high":    {"broadcastRate", "10001", `heliograph:broadcastRate is "10001"; allowed is a whole number from 1 to 10000`},
		"window too long":            {"idempotencyWindow", "48h", `heliograph:idempotencyWindow is "48h0m0s"`},
		"origin with path":           {"corsOrigins", `["https://a.example.com/"]`, `heliograph:corsOrigins is "[\"https://a.example.com/\"]"; allowed is a list`},
		"wildcard in an origin":      {"corsOrigins", `["https://*.example.com"]`, `heliograph:corsOrigins is "[\"https://*.example.com\"]"; allowed is a list`},
		"origin in capitals":         {"corsOrigins", `["https://App.example.com"]`, `allowed is a list`},
		"origin with its own port":   {"corsOrigins", `["https://app.example.com:443"]`, `allowed is a list`},
		"origins not a list":         {"corsOrigins", "https://a.example.com", `heliograph:corsOrigins is "https://a.example.com"`},
		"domain with scheme":         {"webSocketDomain", "wss://push.example.com", `heliograph:webSocketDomain is "wss://push.example.com"`},
		"domain in capitals":         {"httpDomain", "API.example.com", `heliograph:httpDomain is "API.example.com"`},
		"domain without certificate": {"httpDomain", "api.example.com", "heliograph:certificateArn and heliograph:hostedZoneId must be too"},
		"certificate not an ARN":     {"certificateArn", "abc", `heliograph:certificateArn is "abc"`},
		"zone with slash":            {"hostedZoneId", "/hostedzone/Z1", `heliograph:hostedZoneId is "/hostedzone/Z1"`},
		"tag of AWS's own":           {"tags", `{"AWS:x":"y"}`, `heliograph:tags is "{\"AWS:x\":\"y\"}"; allowed is an object of up to 40 texts`},
		"tag with an odd character":  {"tags", `{"Team":"a;b"}`, `heliograph:tags is`},
		"tags that are no texts":     {"tags", `{"Team":1}`, `heliograph:tags is`},
		"address type unknown":       {"ipAddressType", "ipv6", `heliograph:ipAddressType is "ipv6"; allowed is one of ipv4, dualstack`},
		"role unknown":               {"apiGatewayLogRole", "new", `heliograph:apiGatewayLogRole is "new"; allowed is one of auto, create, existing, off`},
		"protect in words":           {"protect", "yes", `heliograph:protect is "yes"; allowed is one of false, true`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := map[string]string{"jwtSecret": testSecret}
			keys[test.key] = test.value
			_, err := loadKeys("dev", keys, "jwtSecret", "jwtSecretPrevious")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v\nwant one that says %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), PublicSecret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// TestContradictions proves that values allowed on their own are refused in combinations that can't work.
func TestContradictions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no token source":        {func(c *Config) { c.JWTSecret = "" }, "heliograph:jwtSecret is missing"},
		"broadcasts too fast":    {func(c *Config) { c.BroadcastRate, c.MaxConcurrency = 3001, 3 }, "with heliograph:maxConcurrency 3, allowed is 3000 at most"},
		"both token sources":     {func(c *Config) { c.JWKSURL = "https://id.example.com/keys" }, "never mixed"},
		"former secret alone":    {func(c *Config) { c.JWTSecret, c.JWTSecretPrevious = "", testSecret }, "heliograph:jwtSecretPrevious is set without"},
		"one domain for two":     {func(c *Config) { everything(c); c.HTTPDomain = c.WebSocketDomain }, "one domain can't serve both"},
		"domain without a zone":  {func(c *Config) { everything(c); c.HostedZoneID = "" }, "heliograph:hostedZoneId must be too"},
		"too little for send":    {func(c *Config) { c.MaxConcurrency, c.ReservedConcurrency = 9, map[string]int{"send": 8} }, "heliograph:reservedConcurrency of send is 8; allowed is heliograph:maxConcurrency, 9, or more"},
		"public secret rotating": {func(c *Config) { c.JWTSecretPrevious = PublicSecret }, "heliograph:jwtSecretPrevious"},
	}
	for name, test := range tests {
		err := testConfig(test.change).Validate("dev")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.want)
		}
	}
}

// TestManyTags proves that there is room for the stack's own tags.
func TestManyTags(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *Config) {
		for i := range maxTags {
			c.Tags[fmt.Sprint("tag-", i)] = "x"
		}
	})
	if err := c.Validate("dev"); err != nil {
		t.Error(err)
	}
	c.Tags["another"] = "x"
	if err := c.Validate("dev"); err == nil || !strings.Contains(err.Error(), "allowed is an object of up to 40 texts") {
		t.Errorf("got %v", err)
	}
}

// TestValidateTellsAll proves that one run reports every fault.
func TestValidateTellsAll(t *testing.T) {
	t.Parallel()
	err := testConfig(func(c *Config) { c.SweepRate, c.MaxConcurrency, c.ExpiredTokens = 0, 0, "" }).Validate("a stage")
	for _, want := range []string{`heliograph:stage is "a stage"`, "heliograph:sweepRate", "heliograph:maxConcurrency", "heliograph:expiredTokens"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell of %s", err, want)
		}
	}
}

// TestLoadConfigTellsAll proves that one run reports every wrong value, whatever the fault: a secret in plain text, a
// wrong type, out of bounds, or a contradiction with another value.
func TestLoadConfigTellsAll(t *testing.T) {
	t.Parallel()
	_, err := loadKeys("dev", map[string]string{
		"jwtSecret": testSecret, "jwksUrl": "https://id.example.com/keys", "sweepRate": "fast", "maxConcurrency": "0",
	})
	for _, want := range []string{
		"heliograph:jwtSecret stands in plain text", `heliograph:sweepRate is "fast"`, `heliograph:maxConcurrency is "0"`, "never mixed",
	} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("error %v does not say once that %s", err, want)
		}
	}
}

// TestUnknownKeys proves that a misspelled key of ours is an error, and another namespace's key is ignored.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ all, want string }{
		"nothing":       {"", ""},
		"all known":     {`{"heliograph:sweepRate":"5","aws:region":"eu-west-1"}`, ""},
		"misspelled":    {`{"heliograph:sweeprate":"5"}`, "heliograph:sweeprate is unknown; the keys are jwtSecret, "},
		"several":       {`{"heliograph:a":"5","heliograph:b":""}`, "heliograph:b is unknown"},
		"not an object": {`[]`, "reading PULUMI_CONFIG"},
	}
	for name, test := range tests {
		err := unknownKeys(test.all)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.want)
		}
	}
	err := pulumi.RunErr(Program(`{"heliograph:sweeprate":"5"}`), pulumi.WithMocks("heliograph", "dev", &recorder{}))
	for _, want := range []string{"heliograph:sweeprate is unknown", "heliograph:jwtSecret is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the program ends with %v, want an error that says %q", err, want)
		}
	}
}

// TestPlainSecret proves that a secret in plain text in a stack file, and so in version control, is refused.
func TestPlainSecret(t *testing.T) {
	t.Parallel()
	_, err := loadKeys("dev", map[string]string{"jwtSecret": testSecret})
	if err == nil || !strings.Contains(err.Error(), "heliograph:jwtSecret stands in plain text") || strings.Contains(err.Error(), testSecret) {
		t.Errorf("error %v, want one that says so without the secret", err)
	}
}

// TestStageNames proves which stack names are valid stages: the longest role's name must still fit into IAM's 64
// characters.
func TestStageNames(t *testing.T) {
	t.Parallel()
	good := []string{"dev", "prod-eu", "feature_1", "A", "0", strings.Repeat("s", 27)}
	bad := []string{"", "a.b", "-dev", "dev/x", "$default", "ü", strings.Repeat("s", 28)}
	for _, stage := range append(good, bad...) {
		if err := testConfig().Validate(stage); (err == nil) != slices.Contains(good, stage) {
			t.Errorf("stage %q: %v", stage, err)
		}
	}
	longest := &deployment{stage: good[len(good)-1], home: home{region: "ap-southeast-1"}}
	for _, name := range heliograph.Functions() {
		if physical := longest.global(name); len(physical) > 64 {
			t.Errorf("%s has %d characters, IAM takes 64", physical, len(physical))
		}
	}
}

// TestLocal proves which values are accepted on a developer's machine only.
func TestLocal(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Config){
		"public secret":     func(c *Config) { c.JWTSecret = PublicSecret },
		"keys on loopback":  func(c *Config) { c.JWTSecret, c.JWKSURL = "", "http://127.0.0.1:8080/keys" },
		"keys on localhost": func(c *Config) { c.JWTSecret, c.JWKSURL = "", "http://localhost:8080/keys" },
	}
	for name, change := range tests {
		if err := testConfig(change).Validate("local"); err == nil {
			t.Errorf("%s does on AWS", name)
		}
		if err := testConfig(change, func(c *Config) { c.Local = true }).Validate("local"); err != nil {
			t.Errorf("%s does not do locally: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"keys from anywhere by plain http": func(c *Config) { c.JWTSecret, c.JWKSURL = "", "http://id.example.com/keys" },
		"a secret that is too short":       func(c *Config) { c.JWTSecret = "hunter2" },
	} {
		if err := testConfig(change, func(c *Config) { c.Local = true }).Validate("local"); err == nil {
			t.Errorf("%s does locally", name)
		}
	}
}

// TestLoadLocalConfig proves that a local stack needs no configuration at all, and accepts the same keys.
func TestLoadLocalConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		keys   map[string]string
		change func(*Config)
	}{
		"nothing":     {nil, func(c *Config) { c.JWTSecret = PublicSecret }},
		"own secret":  {map[string]string{"jwtSecret": testSecret}, func(c *Config) { c.JWTSecret = testSecret }},
		"public keys": {map[string]string{"jwksUrl": "http://127.0.0.1/keys"}, func(c *Config) { c.JWTSecret, c.JWKSURL = "", "http://127.0.0.1/keys" }},
		"no keys":     {map[string]string{"jwksUrl": ""}, func(c *Config) { c.JWTSecret = PublicSecret }},
	}
	for name, test := range tests {
		got, err := loadWith(LoadLocalConfig, "local", test.keys, "jwtSecret")
		want := testConfig(func(c *Config) { c.Local = true }, test.change)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestSettingsRoundTrip proves that each setting's parse reads back the output of its show.
func TestSettingsRoundTrip(t *testing.T) {
	t.Parallel()
	for name, config := range configurations {
		for _, s := range settings {
			got := config
			if err := s.parse(&got, s.show(config)); err != nil {
				t.Errorf("%s: %s does not read %q: %v", name, s.key, s.show(config), err)
			}
			if diff := cmp.Diff(config, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, s.key, diff)
			}
		}
	}
}

// TestConfigOf proves that a tool reads the configuration that the program would, secrets apart, and is told what is wrong.
func TestConfigOf(t *testing.T) {
	t.Parallel()
	want := DefaultConfig()
	want.MaxConcurrency, want.Stage = 30, "live"
	got, err := ConfigOf(map[string]string{"maxConcurrency": "30", "stage": "live", "jwtSecret": "[secret]"})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := ConfigOf(map[string]string{"maxConcurrency": "many"}); err == nil || !strings.Contains(err.Error(), "maxConcurrency") {
		t.Errorf("got %v", err)
	}
}
