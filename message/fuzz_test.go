package message

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// Run it with a bound on minimizing, as .ci/run does. Otherwise Go's fuzzer spends up to a minute trying to shorten
// each new input of some hundred bytes, and none of its executions meanwhile count.

// FuzzParse proves that, for any text, Parse never panics and agrees with the oracle, which reads messages with
// encoding/json: on whether the text is a message, on its contents, and on the reason for a rejection.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		got, rejection := Parse(text)
		want, wrong := oracle(text)
		switch {
		case rejection == nil && len(wrong) > 0:
			t.Fatalf("accepted as %+v, though %v", got, wrong)
		case rejection == nil:
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("message (-want +got):\n%s", diff)
			}
		case !slices.Contains(wrong, rejection.Reason):
			t.Fatalf("rejected as %q, want one of %q", rejection, wrong)
		case rejection.Detail == "" || len(rejection.String()) > 200 || !utf8.ValidString(rejection.String()):
			t.Fatalf("rejection %q is none that SQS takes as an attribute", rejection)
		}
	})
}

// oracle reads a text as a message and collects everything that is wrong with it: Parse may give any of these
// reasons.
func oracle(text string) (Message, []Reason) {
	o := reading{wrong: map[Reason]bool{}}
	switch {
	case len(text) > MaxMessage:
		o.wrong[ReasonTooLarge] = true
		return o.m, o.reasons() // anything may follow
	case !utf8.ValidString(text), !json.Valid([]byte(text)), !strings.HasPrefix(strings.Trim(text, " \t\r\n"), "{"):
		return o.m, []Reason{ReasonMalformed}
	}
	o.members(text)
	o.target()
	o.text("id", func(s string) {
		o.m.ID = s
		o.is(s == "" || len(s) > MaxID, ReasonMalformed)
	})
	o.text("expiresat", func(s string) {
		at, err := time.Parse(time.RFC3339, strings.ToUpper(s))
		o.m.ExpiresAt = at
		o.is(err != nil, ReasonMalformed)
	})
	o.flag("receipt", &o.m.Receipt)
	o.is(o.m.Receipt && o.m.ID == "", ReasonMalformed)
	o.text("keep", func(s string) {
		keep, err := time.ParseDuration(s)
		o.m.Keep = keep
		o.is(err != nil || keep < time.Second || keep > 168*time.Hour || len(o.m.Users) == 0, ReasonMalformed)
	})
	o.body()
	return o.m, o.reasons()
}

// reading is the part of a message that the oracle has read so far, and its faults.
type reading struct {
	m      Message
	wrong  map[Reason]bool
	fields map[string]json.RawMessage // keyed by lower-case name; null members are left out, except the body
}

func (o *reading) is(wrong bool, reason Reason) {
	if wrong {
		o.wrong[reason] = true
	}
}

func (o *reading) reasons() []Reason { return slices.Collect(maps.Keys(o.wrong)) }

var known = []string{"userid", "userids", "connectionid", "broadcast", "body", "id", "expiresat", "receipt", "keep"}

// members reads the object's members and its nesting depth.
func (o *reading) members(text string) {
	deep := 0
	for tokens := json.NewDecoder(strings.NewReader(text)); ; {
		token, err := tokens.Token()
		if err != nil {
			break
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			deep++
		case json.Delim('}'), json.Delim(']'):
			deep--
		}
		o.is(deep > MaxDepth, ReasonMalformed)
	}
	o.fields = map[string]json.RawMessage{}
	members := json.NewDecoder(strings.NewReader(text))
	_, _ = members.Token() // the opening brace
	for members.More() {
		name, _ := members.Token()
		var value json.RawMessage
		_ = members.Decode(&value)
		lower := strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, name.(string))
		if slices.Contains(known, lower) {
			_, twice := o.fields[lower]
			o.is(twice, ReasonMalformed)
			o.fields[lower] = value
		}
	}
	maps.DeleteFunc(o.fields, func(name string, value json.RawMessage) bool { return string(value) == "null" && name != "body" })
}

// text reads a member that must be a string, if it is present.
func (o *reading) text(name string, then func(string)) {
	raw, ok := o.fields[name]
	if !ok {
		return
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || brokenPair(raw, s) {
		o.is(true, ReasonMalformed)
		return
	}
	then(s)
}

var escapes = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|[^u])`)

// brokenPair reports whether encoding/json put U+FFFD where the literal has none.
func brokenPair(literal []byte, s string) bool {
	n := bytes.Count(literal, []byte("\uFFFD"))
	for _, escape := range escapes.FindAll(literal, -1) {
		if strings.EqualFold(string(escape), `\ufffd`) {
			n++
		}
	}
	return strings.Count(s, "\uFFFD") != n
}

func (o *reading) flag(name string, to *bool) {
	if raw, ok := o.fields[name]; ok {
		o.is(json.Unmarshal(raw, to) != nil, ReasonMalformed)
	}
}

func (o *reading) target() {
	if string(o.fields["broadcast"]) == "false" {
		delete(o.fields, "broadcast")
	}
	given := 0
	for _, name := range known[:4] {
		if _, ok := o.fields[name]; ok {
			given++
		}
	}
	o.is(given == 0, ReasonNoTarget)
	o.is(given > 1, ReasonSeveralTargets)
	o.flag("broadcast", &o.m.Broadcast)
	o.text("userid", o.user)
	o.text("connectionid", func(s string) {
		s, o.m.V1 = strings.CutPrefix(s, "v1:")
		o.m.Connection = heliograph.ConnectionID(s)
		o.is(s == "", ReasonNoTarget)
		o.is(s != "" && !regexp.MustCompile(`^[!-~]{1,128}$`).MatchString(s), ReasonMalformed)
	})
	if raw, ok := o.fields["userids"]; ok {
		o.users(raw)
	}
}

func (o *reading) user(s string) {
	o.m.Users = append(o.m.Users, heliograph.UserID(s))
	o.is(s == "", ReasonNoTarget)
	o.is(len(s) > 256, ReasonUserTooLong)
}

func (o *reading) users(raw json.RawMessage) {
	var all []json.RawMessage
	o.is(json.Unmarshal(raw, &all) != nil, ReasonMalformed)
	o.is(len(all) == 0, ReasonNoTarget)
	for _, one := range all {
		o.is(string(one) == "null", ReasonMalformed)
		o.fields["one of them"] = one
		o.text("one of them", func(s string) {
			if !slices.Contains(o.m.Users, heliograph.UserID(s)) {
				o.user(s)
			}
		})
	}
	o.is(len(o.m.Users) > 1000, ReasonTooManyUsers)
}

// literals matches the strings of a JSON value.
var literals = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)

func (o *reading) body() {
	raw, ok := o.fields["body"]
	o.is(!ok, ReasonMalformed)
	for _, literal := range literals.FindAll(raw, -1) {
		var s string
		o.is(json.Unmarshal(literal, &s) != nil || brokenPair(literal, s), ReasonMalformed)
	}
	var compact bytes.Buffer
	if ok && raw[0] != '"' && json.Compact(&compact, raw) == nil {
		o.m.Body, o.m.Value = compact.Bytes(), true
	} else {
		o.text("body", func(s string) { o.m.Body = []byte(s) })
	}
	o.is(len(o.m.Body) > 128<<10 || o.m.Keep > 0 && len(o.m.Body) > 128<<10-1000, ReasonTooLarge)
}
