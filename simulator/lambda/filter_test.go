package lambda

import (
	"strings"
	"testing"
)

const presenceRecord = `{"eventName":"MODIFY","dynamodb":{"Keys":{"pk":{"S":"user#1"},"sk":{"S":"presence"}},"NewImage":{"n":{"N":"5"},"on":{"BOOL":true},"l":{"L":[]},"z":{"NULL":true}},"SizeBytes":42}}`

const expiredRecord = `{"eventName":"REMOVE","dynamodb":{"Keys":{"pk":{"S":"user#1"},"sk":{"S":"conn#abc="}}},"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}}`

// TestFilter proves which stream records an event source filter lets pass.
func TestFilter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pattern           string
		presence, expired bool
	}{
		"exact":                       {`{"dynamodb":{"Keys":{"sk":{"S":["presence"]}}}}`, true, false},
		"one of several":              {`{"eventName":["INSERT","MODIFY"]}`, true, false},
		"all fields must match":       {`{"eventName":["MODIFY"],"dynamodb":{"Keys":{"sk":{"S":["conn"]}}}}`, false, false},
		"prefix":                      {`{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"conn#"}]}}}}`, false, true},
		"prefix or exact":             {`{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"conn#"},"presence"]}}}}`, true, true},
		"exists":                      {`{"userIdentity":{"principalId":[{"exists":true}]}}`, false, true},
		"does not exist":              {`{"userIdentity":{"principalId":[{"exists":false}]}}`, true, false},
		"exists looks at leaves only": {`{"dynamodb":{"Keys":[{"exists":true}]}}`, false, false},
		"anything but a text":         {`{"eventName":[{"anything-but":["REMOVE"]}]}`, true, false},
		"anything but one text":       {`{"eventName":[{"anything-but":"REMOVE"}]}`, true, false},
		"anything but needs a value":  {`{"userIdentity":{"principalId":[{"anything-but":"x"}]}}`, false, true},
		"number":                      {`{"dynamodb":{"SizeBytes":[42]}}`, true, false},
		"numbers differ as text":      {`{"dynamodb":{"SizeBytes":[42.0]}}`, false, false},
		"suffix":                      {`{"dynamodb":{"Keys":{"sk":{"S":[{"suffix":"="}]}}}}`, false, true},
		"ignoring case":               {`{"eventName":[{"equals-ignore-case":"remove"}]}`, false, true},
		"either of two fields":        {`{"$or":[{"eventName":["REMOVE"]},{"dynamodb":{"SizeBytes":[42]}}]}`, true, true},
		"numeric":                     {`{"dynamodb":{"SizeBytes":[{"numeric":[">",0,"<=",42]}]}}`, true, false},
		"numeric, not":                {`{"dynamodb":{"SizeBytes":[{"numeric":["<",42]}]}}`, false, false},
		"DynamoDB's numbers are text": {`{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":["=",5]}]}}}}`, false, false},
		"boolean":                     {`{"dynamodb":{"NewImage":{"on":{"BOOL":[true]}}}}`, true, false},
		"null is no true":             {`{"dynamodb":{"NewImage":{"z":{"NULL":[null]}}}}`, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := newFilter([]string{tt.pattern})
			if err != nil {
				t.Fatal(err)
			}
			s := &StreamSource{filter: f}
			if got := s.passes(StreamRecord{Event: []byte(presenceRecord)}); got != tt.presence {
				t.Errorf("the presence record passes: %v", got)
			}
			if got := s.passes(StreamRecord{Event: []byte(expiredRecord)}); got != tt.expired {
				t.Errorf("the expired connection passes: %v", got)
			}
		})
	}
}

// TestAnyOfTheFiltersIsEnough proves that a record passes if any one filter matches, or if there are no filters.
func TestAnyOfTheFiltersIsEnough(t *testing.T) {
	t.Parallel()
	f, err := newFilter([]string{`{"eventName":["INSERT"]}`, `{"eventName":["REMOVE"]}`})
	if err != nil {
		t.Fatal(err)
	}
	s := &StreamSource{filter: f}
	if s.passes(StreamRecord{Event: []byte(presenceRecord)}) || !s.passes(StreamRecord{Event: []byte(expiredRecord)}) {
		t.Error("the wrong record passes")
	}
	if none := (&StreamSource{}); !none.passes(StreamRecord{Event: []byte(presenceRecord)}) {
		t.Error("without filters a record does not pass")
	}
}

// TestFilterRefuses proves that Lambda's filters reject what only the patterns of other services may contain.
func TestFilterRefuses(t *testing.T) {
	t.Parallel()
	for pattern, says := range map[string]string{
		`{}`:                            "Empty objects are not allowed",
		`{"a":[{"wildcard":"x*"}]}`:     "Unrecognized match type wildcard",
		`{"a":[{"cidr":"10.0.0.0/8"}]}`: "Unrecognized match type cidr",
		`{"a":[{"anything-but":{"prefix":"x"}}]}`: "Unsupported anything-but pattern: prefix",
		`{"a":[{"numeric":[">",5000000001]}]}`:    "from -5e+09 to 5e+09",
	} {
		if _, err := newFilter([]string{pattern}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", pattern, err, says)
		}
	}
	if _, err := newFilter(make([]string, 6)); err == nil {
		t.Error("six filters were taken")
	}
}
