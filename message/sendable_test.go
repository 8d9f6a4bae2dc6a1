package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// accepted is SQS's rule in the words of its documentation.
var accepted = regexp.MustCompile(`^[\x{9}\x{A}\x{D}\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]*$`)

// FuzzSendable proves that SQS accepts whatever is written, that a text which it accepts anyway stays as it is, and
// that JSON keeps its meaning.
func FuzzSendable(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\uFFFFb\uFFFE", "\x00\x1f\x7f\u0085", "\xff\xed\xa0\x80", "\t\n\r", "\U0010FFFF", `{"a":"\uffff\ud83d"}`, "{\"a\":\"\uFFFF\"}", "<>&\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written := Sendable(text)
		if !utf8.ValidString(written) || !accepted.MatchString(written) {
			t.Fatalf("SQS refuses %q", written)
		}
		if utf8.ValidString(text) && accepted.MatchString(text) && written != text {
			t.Fatalf("%q became %q", text, written)
		}
		var before, after any
		if json.Unmarshal([]byte(text), &before) == nil {
			if err := json.Unmarshal([]byte(written), &after); err != nil || fmt.Sprint(before) != fmt.Sprint(after) {
				t.Fatalf("%q became %q: %v", text, written, err)
			}
		}
		encoded, err := JSON(map[string]any{"a": text, text: []string{text}, "raw": json.RawMessage(`"` + strings.Repeat("\uFFFF", len(text)%3) + `"`)})
		if err != nil || !accepted.MatchString(encoded) {
			t.Fatalf("%q, %v", encoded, err)
		}
		var got struct{ A string }
		if err := json.Unmarshal([]byte(encoded), &got); text != "A" && (err != nil || got.A != string([]rune(text))) && !strings.EqualFold(text, "a") {
			t.Fatalf("%q was read back as %q, %v", text, got.A, err)
		}
	})
}

// answer is an error of a service.
type answer string

func (a answer) Error() string     { return string(a) }
func (a answer) ErrorCode() string { return string(a) }

// TestRefused proves which errors are final, and that those that may end are not.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InvalidMessageContents", "InvalidParameter", "ValidationException", "InvalidParameterValue", "MissingRequiredParameterException"} {
		if !Refused(fmt.Errorf("send: %w", answer(code))) {
			t.Errorf("%s is not final", code)
		}
	}
	for _, code := range []string{
		"AccessDeniedException", "ThrottlingException", "QueueDoesNotExist", "NotFound", "ResourceNotFoundException", "ExpiredTokenException",
		"KmsDisabled", "InternalError", "ServiceUnavailable", "RequestTimeout", "ProvisionedThroughputExceededException", "",
	} {
		if Refused(answer(code)) {
			t.Errorf("%s is final", code)
		}
	}
	if Refused(nil) || Refused(errors.New("ValidationException")) {
		t.Error("an error without a code is final")
	}
}
