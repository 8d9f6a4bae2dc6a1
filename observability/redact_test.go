package observability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

const leaked = "s3cr3t-jane@example.com"

// named is a struct in which a field's JSON name, or its own, is what must be denied.
type named struct {
	Password string
	Inner    *named   `json:"inner,omitempty"`
	List     []string `json:"refresh_tokens,omitempty"`
	Any      any      `json:"x-jwt,omitempty"`
}

// teller is an error with fields; tellsJSON writes itself as JSON.
type teller struct{ Token string }

func (teller) Error() string { return "told nothing" }

type tellsJSON struct{}

func (tellsJSON) MarshalJSON() ([]byte, error) {
	return []byte(`{"deep":[{"Set-Cookie":"` + leaked + `"}]}`), nil
}

// revealing is a LogValuer that gives a group.
type revealing struct{}

func (revealing) LogValue() slog.Value {
	return slog.GroupValue(slog.String("client_secret", leaked), slog.Any("more", []any{named{Password: leaked}}))
}

// deniedKeys are keys in the spellings that people use.
var deniedKeys = []string{
	"password", "Password", "PASSWD", "db_password", "token", "accessToken", "access-token", "ID_TOKEN", "Authorization",
	"proxy-authorization", "cookie", "Set-Cookie", "jwt", "JWT_SECRET", "jwtSecret", "secret", "clientSecret", "x.api.key",
	"body", "Body", "requestBody", "message_body", "user", "userId", "user_id", "User-ID", "USERIDS", "targetUserId",
}

// forms are the ways by which a value comes to a log line under a key.
var forms = map[string]func(key string) slog.Attr{
	"text":             func(k string) slog.Attr { return slog.String(k, leaked) },
	"named type":       func(k string) slog.Attr { return slog.Any(k, userID(leaked)) },
	"bytes":            func(k string) slog.Attr { return slog.Any(k, []byte(leaked)) },
	"pointer":          func(k string) slog.Attr { s := leaked; return slog.Any(k, &s) },
	"list":             func(k string) slog.Attr { return slog.Any(k, []string{"a", leaked}) },
	"list of any":      func(k string) slog.Attr { return slog.Any(k, []any{[]any{leaked}}) },
	"error":            func(k string) slog.Attr { return slog.Any(k, errors.New(leaked)) },
	"map":              func(k string) slog.Attr { return slog.Any("a", map[string]any{"b": map[string]string{k: leaked}}) },
	"group":            func(k string) slog.Attr { return slog.Group("a", slog.Group("b", slog.String(k, leaked))) },
	"valuer":           func(k string) slog.Attr { return slog.Any(k, valuer(leaked)) },
	"raw JSON":         func(k string) slog.Attr { return slog.Any("a", json.RawMessage(`{"`+k+`":"`+leaked+`"}`)) },
	"pointer to a map": func(k string) slog.Attr { return slog.Any("a", &map[string]string{k: leaked}) },
	"list of attributes": func(k string) slog.Attr {
		return slog.Any("a", []slog.Attr{slog.String(k, leaked)})
	},
}

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue(string(v)) }

// TestNothingLeaks proves that a value under a denied key, in whatever case, spelling, type and depth, comes out as its
// hash or not at all; and so do properties, annotations and metadata.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	var out bytes.Buffer
	f := d.function(t, testSettings, &out)
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		for _, key := range deniedKeys {
			for name, form := range forms {
				Log(ctx).LogAttrs(ctx, slog.LevelInfo, name, form(key))
				Log(ctx).With(form(key)).WithGroup("g").Info(name, "n", 1)
			}
			SetProperty(ctx, key, leaked)
			ResetProperties(ctx)
			SetProperty(ctx, key, leaked)
			_ = Step(ctx, "step", func(ctx context.Context) error {
				Annotate(ctx, key, leaked)
				Annotate(ctx, key, userID(leaked))
				Describe(ctx, "a", map[string]any{key: leaked})
				Describe(ctx, key, leaked)
				return nil
			})
		}
		Log(ctx).Info("values that know themselves", "a", named{Password: leaked, Inner: &named{Any: []any{leaked}, List: []string{leaked}}},
			"b", teller{leaked}, "c", &teller{leaked}, "d", tellsJSON{}, "e", revealing{}, "f", map[string]error{"x": teller{leaked}}, "g", NewSecret(leaked))
		Log(ctx).Info("a token in a text: eyJhbGciOiJIUzI1NiJ9.s3cr3tpayload.s3cr3tsignature, and Bearer s3cr3t-opaque")
		return fmt.Errorf("reading Authorization: Bearer s3cr3t-opaque: %w", errTest)
	}))(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
	decodeLines(t, out.Bytes())
	for line := range bytes.Lines(out.Bytes()) {
		if bytes.Contains(line, []byte("s3cr3t")) {
			t.Errorf("it is in %s", line)
		}
	}
	for _, s := range d.segments(t) {
		if all := fmt.Sprintf("%+v", s); strings.Contains(all, "s3cr3t") {
			t.Errorf("it is in %s", all)
		}
	}
	if !bytes.Contains(out.Bytes(), []byte(HashUser(leaked))) {
		t.Error("the hash of the user's id is nowhere")
	}
}

// TestKeysThatStay proves that what merely resembles a denied key is written.
func TestKeysThatStay(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"bodyBytes", "userAgent", "username", "reason", "connectionId", "key", "attempt", "source", ""} {
		if judge(key) != free {
			t.Errorf("the key %q is not written", key)
		}
	}
}

// TestSecret proves that a Secret shows itself to nobody but a caller of Reveal.
func TestSecret(t *testing.T) {
	t.Parallel()
	s := NewSecret(leaked)
	in, err := json.Marshal(map[Secret]any{s: []any{s, &s, struct{ S Secret }{s}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%s %v %q %x %d %#v %+v", s, s, s, s, s, s, s), fmt.Sprint(&s), fmt.Sprintf("%+v", struct{ S Secret }{s}),
		fmt.Sprint([]Secret{s}), fmt.Errorf("reading %v", s).Error(), string(in), slog.AnyValue(s).Resolve().String(),
	} {
		if strings.Contains(text, leaked) || strings.Contains(text, fmt.Sprintf("%x", leaked)) || !strings.Contains(text, hidden) {
			t.Errorf("it shows as %s", text)
		}
	}
	if s.Reveal() != leaked {
		t.Error("it does not reveal itself")
	}
}

// TestValuesAsJSON proves how values of Go are written: as encoding/json does, but for what it can't.
func TestValuesAsJSON(t *testing.T) {
	t.Parallel()
	type embedded struct{ Depth int }
	loop := map[string]any{}
	loop["again"] = loop
	for want, value := range map[string]any{
		`{"Depth":1,"n":2}`: struct {
			embedded
			N      int `json:"n"`
			hidden int
			Gone   int    `json:"-"`
			Empty  string `json:"empty,omitempty"`
		}{embedded{1}, 2, 3, 4, ""},
		`{"1":"a","2":"b"}`:                 map[int]string{2: "b", 1: "a"},
		`[1,2.5,true,null,"x"]`:             []any{1, 2.5, true, nil, "x"},
		`"2026-01-02T03:04:05.000000678Z"`:  time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC),
		`"NaN"`:                             float32(nan()),
		`"func()"`:                          func() {},
		`"!PANIC: boom"`:                    panicking{},
		`{"again":{"again":{"again":"…"}}}`: loop,
		`["a","b","… 2 more"]`:              []string{"a", "b", "c", "d"},
		`"0123456789…"`:                     "0123456789abc",
		`{"message":"0123456789…","type":"*errors.er…"}`: errors.New("0123456789abc"),
	} {
		limits := bounds{10, 2, 3}
		if strings.Contains(want, "null") || strings.Contains(want, "2026") || strings.HasPrefix(want, `"!`) || strings.HasPrefix(want, `"f`) {
			limits = bounds{100, 10, 3}
		}
		if got := string(encodeJSON("key", value, limits)); got != want {
			t.Errorf("%#v is written as %s, want %s", value, got, want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// panicking panics when it is asked for its text.
type panicking struct{}

func (panicking) MarshalText() ([]byte, error) { panic("boom") }
