package lambda

import (
	"strings"
	"testing"
)

const presenceRecord = `{"eventName":"MODIFY","dynamodb":{"Keys":{"pk":{"S":"user#1"},"sk":{"S":"presence"}},"NewImage":{"n":{"N":"5"},"on":{"BOOL":true},"l":{"L":[]},"z":{"NULL":true}},"SizeBytes":42}}`

const expiredRecord = `{"eventName":"REMOVE","dynamodb":{"Keys":{"pk":{"S":"user#1"},"sk":{"S":"conn#abc="}}},"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}}`

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
		"anything but a prefix":       {`{"dynamodb":{"Keys":{"sk":{"S":[{"anything-but":{"prefix":"conn#"}}]}}}}`, true, false},
		"anything but needs a value":  {`{"userIdentity":{"principalId":[{"anything-but":"x"}]}}`, false, true},
		"number":                      {`{"dynamodb":{"SizeBytes":[42.0]}}`, true, false},
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

func TestFilterRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for pattern, says := range map[string]string{
		`[]`:                                       "cannot unmarshal",
		`{}`:                                       "empty object",
		`{"a":"b"}`:                                "neither an object nor a list",
		`{"a":[]}`:                                 "empty list",
		`{"a":[["b"]]}`:                            "a list in a list",
		`{"a":[{"suffix":"x"}]}`:                   "does not know this operator",
		`{"$or":[{"a":["b"]}]}`:                    "does not know this operator",
		`{"a":[{"prefix":1}]}`:                     "no string",
		`{"a":[{"prefix":"x","exists":true}]}`:     "must have one operator",
		`{"a":[{"exists":"yes"}]}`:                 "neither true nor false",
		`{"a":[{"numeric":[">"]}]}`:                "comparison",
		`{"a":[{"numeric":["!",1]}]}`:              "no comparison",
		`{"a":[{"numeric":[">","1"]}]}`:            "no comparison",
		`{"a":[{"anything-but":true}]}`:            "no string, number",
		`{"a":[{"anything-but":[true]}]}`:          "neither a string nor a number",
		`{"a":[{"anything-but":{"exists":true}}]}`: "not a prefix",
		`{"a":["b"]} x`:                            "more than one value",
	} {
		if _, err := newFilter([]string{pattern}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", pattern, err, says)
		}
	}
	if _, err := newFilter(make([]string, 6)); err == nil {
		t.Error("six filters were taken")
	}
}
