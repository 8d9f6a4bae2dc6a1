package iam

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	table     = "arn:aws:dynamodb:us-east-1:000000000000:table/t"
	trust     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`
	readTable = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:Query"],"Resource":["` + table + `","` + table + `/index/*"]},
		{"Effect":"Allow","Action":"sqs:*","Resource":"*"},
		{"Effect":"Deny","Action":"sqs:Delete*","Resource":"arn:aws:sqs:us-east-1:000000000000:keep-?"}]}`
)

func newRoles(t *testing.T) *Roles {
	t.Helper()
	r := New("000000000000")
	if err := r.Create("reader", trust); err != nil {
		t.Fatal(err)
	}
	if err := r.Attach("reader", readTable); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCheck proves that a role may do what a statement allows, unless another denies it, and nothing else.
func TestCheck(t *testing.T) {
	t.Parallel()
	queue := "arn:aws:sqs:us-east-1:000000000000:"
	for _, c := range []struct {
		name, action string
		resources    []string
		denied       string
	}{
		{"allowed", "dynamodb:GetItem", []string{table}, ""},
		{"without regard to case", "dynamodb:getitem", []string{table}, ""},
		{"wildcard in the resource", "dynamodb:Query", []string{table + "/index/gsi1"}, ""},
		{"wildcard in the action", "sqs:SendMessage", []string{queue + "any"}, ""},
		{"no resource", "sqs:ListQueues", nil, ""},
		{"other action", "dynamodb:PutItem", []string{table}, "no identity-based policy allows"},
		{"other resource", "dynamodb:GetItem", []string{table + "2"}, "no identity-based policy allows"},
		{"one of two resources", "dynamodb:GetItem", []string{table, table + "2"}, "no identity-based policy allows"},
		{"explicit deny", "sqs:DeleteQueue", []string{queue + "keep-1"}, "explicit deny"},
		{"deny of others", "sqs:DeleteQueue", []string{queue + "keep-12"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoles(t)
			err := r.Check(r.AccessKey("reader"), c.action, c.resources, nil)
			if c.denied == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var denied *Denied
			if !errors.As(err, &denied) || !strings.Contains(err.Error(), c.denied) || !strings.Contains(err.Error(), "assumed-role/reader/") {
				t.Errorf("got %v, want a Denied that says %q", err, c.denied)
			}
		})
	}
}

// TestConditions proves that a condition lets through calls all of whose values are listed. Without any value, ForAllValues
// and IfExists hold, and StringEquals does not.
func TestConditions(t *testing.T) {
	t.Parallel()
	const keys, attributes, selects = "dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:Select"
	for _, c := range []struct {
		operator, key string
		listed        []string
		values        []string
		allowed       bool
	}{
		{"ForAllValues:StringLike", keys, []string{"user#*", "sent#*"}, []string{"user#1"}, true},
		{"ForAllValues:StringLike", keys, []string{"user#*", "sent#*"}, []string{"user#1", "sent#user#1"}, true},
		{"ForAllValues:StringLike", keys, []string{"user#*", "sent#*"}, []string{"user#1", "lease#01"}, false},
		{"ForAllValues:StringLike", keys, []string{"user#*", "sent#*"}, []string{"xuser#1"}, false},
		{"ForAllValues:StringLike", keys, []string{"user#*", "sent#*"}, nil, true},
		{"ForAllValues:StringEquals", keys, []string{"user#*"}, []string{"user#*"}, true},
		{"ForAllValues:StringEquals", keys, []string{"user#*"}, []string{"user#1"}, false},
		{"ForAllValues:StringEquals", attributes, []string{"pk", "online"}, []string{"pk"}, true},
		{"ForAllValues:StringEquals", attributes, []string{"pk", "online"}, []string{"pk", "sourceIp"}, false},
		{"StringEquals", selects, []string{"SPECIFIC_ATTRIBUTES", "COUNT"}, []string{"COUNT"}, true},
		{"StringEquals", selects, []string{"SPECIFIC_ATTRIBUTES"}, []string{"ALL_ATTRIBUTES"}, false},
		{"StringEquals", selects, []string{"SPECIFIC_ATTRIBUTES"}, nil, false},
		{"StringEqualsIfExists", selects, []string{"SPECIFIC_ATTRIBUTES"}, []string{"ALL_ATTRIBUTES"}, false},
		{"StringEqualsIfExists", selects, []string{"SPECIFIC_ATTRIBUTES"}, nil, true},
	} {
		t.Run(fmt.Sprint(c.operator, c.key, c.values), func(t *testing.T) {
			t.Parallel()
			r := New("000000000000")
			condition, err := json.Marshal(map[string]any{c.operator: map[string]any{c.key: c.listed}})
			if err != nil {
				t.Fatal(err)
			}
			policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"` + table + `","Condition":` + string(condition) + `}}`
			if err := errors.Join(r.Create("writer", trust), r.Attach("writer", policy)); err != nil {
				t.Fatal(err)
			}
			err = r.Check(r.AccessKey("writer"), "dynamodb:PutItem", []string{table}, map[string][]string{c.key: c.values})
			if (err == nil) != c.allowed {
				t.Errorf("got %v, want that it is allowed: %v", err, c.allowed)
			}
		})
	}
}

// TestPeopleMayDoAnything proves that a key of no role is not held to any policy.
func TestPeopleMayDoAnything(t *testing.T) {
	t.Parallel()
	if err := newRoles(t).Check("local", "dynamodb:DeleteTable", []string{table}, nil); err != nil {
		t.Error(err)
	}
}

// TestTrust proves that only the services that a role trusts may assume it.
func TestTrust(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	if err := r.MayBeAssumedBy("reader", "lambda.amazonaws.com"); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ role, service string }{{"reader", "events.amazonaws.com"}, {"nobody", "lambda.amazonaws.com"}} {
		if r.MayBeAssumedBy(RoleName(c.role), c.service) == nil {
			t.Errorf("%s may be assumed by %s", c.role, c.service)
		}
	}
}

// TestUnused proves that a granted permission is listed until a call needs it, and that refused calls add nothing to
// the list.
func TestUnused(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	for _, action := range []string{"dynamodb:GetItem", "sqs:SendMessage", "dynamodb:PutItem"} {
		_ = r.Check(r.AccessKey("reader"), action, []string{table}, nil)
	}
	want := []Permission{
		{"reader", "dynamodb:GetItem", table + "/index/*"},
		{"reader", "dynamodb:Query", table},
		{"reader", "dynamodb:Query", table + "/index/*"},
	}
	if diff := cmp.Diff(want, r.Unused()); diff != "" {
		t.Error(diff)
	}
}

// TestPoliciesThatAreNotUnderstood proves that a policy with an unsupported element is refused as a whole.
func TestPoliciesThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	wrap := func(statement string) string {
		return `{"Version":"2012-10-17","Statement":` + statement + `}`
	}
	for name, document := range map[string]string{
		"no JSON":       `{`,
		"old version":   `{"Version":"2008-10-17","Statement":[]}`,
		"empty":         wrap(`[]`),
		"condition":     wrap(`{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`),
		"condition key": wrap(`{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"ForAllValues:StringLike":{"dynamodb:ReturnValues":"NONE"}}}`),
		"one of many":   wrap(`{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"StringEquals":{"dynamodb:Attributes":"pk"}}}`),
		"many of one":   wrap(`{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"ForAllValues:StringEquals":{"dynamodb:Select":"COUNT"}}}`),
		"not action":    wrap(`{"Effect":"Allow","NotAction":"a:b","Resource":"*"}`),
		"effect":        wrap(`{"Effect":"allow","Action":"a:b","Resource":"*"}`),
		"action":        wrap(`{"Effect":"Allow","Action":"GetItem","Resource":"*"}`),
		"no action":     wrap(`{"Effect":"Allow","Resource":"*"}`),
		"no resource":   wrap(`{"Effect":"Allow","Action":"a:b"}`),
		"principal":     wrap(`{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":{"Service":"x"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := newRoles(t).Attach("reader", document); err == nil {
				t.Errorf("%s was taken", document)
			}
		})
	}
}

// TestMatch proves that a pattern made by replacing parts of a text with wildcards matches that text.
func TestMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab:/]{0,12}`).Draw(t, "text")
		var pattern strings.Builder
		for i := 0; i < len(text); {
			switch rapid.SampledFrom([]string{"same", "any one", "any text"}).Draw(t, "step") {
			case "same":
				pattern.WriteByte(text[i])
				i++
			case "any one":
				pattern.WriteByte('?')
				i++
			default:
				pattern.WriteByte('*')
				i += rapid.IntRange(0, len(text)-i).Draw(t, "skipped")
			}
		}
		if !Match(pattern.String(), text) {
			t.Fatalf("%q does not match %q", pattern.String(), text)
		}
		if Match(pattern.String()+"x", text) {
			t.Fatalf("%q matches %q", pattern.String()+"x", text)
		}
	})
}
