package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// SQS accepts the characters of XML 1.0 and refuses a text with any other; what SNS accepts has to reach queues, too.
// Users' and messages' ids may hold any character, so every text that a function writes to either service passes
// through Sendable, and JSON through JSON. Source: SendMessage, "MessageBody".

// sendable reports whether SQS accepts a character.
func sendable(r rune) bool {
	return r >= ' ' && r != 0xFFFE && r != 0xFFFF || r == '\t' || r == '\n' || r == '\r'
}

// Sendable returns a text that SQS and SNS accept. U+FFFE and U+FFFF, the only ones of these characters that JSON
// allows, become \u escapes, so JSON keeps its meaning. All others can't be part of JSON; they become U+FFFD.
func Sendable(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if !strings.ContainsFunc(text, func(r rune) bool { return !sendable(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 0xFFFE:
			b.WriteString(`\ufffe`)
		case r == 0xFFFF:
			b.WriteString(`\uffff`)
		case !sendable(r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// JSON encodes a value as JSON that SQS and SNS accept, without HTML escapes, which would count several times towards
// their limits.
func JSON(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return Sendable(strings.TrimSuffix(text.String(), "\n")), err
}

// encode is JSON for values that always encode.
func encode(v any) string {
	text, _ := JSON(v)
	return text
}

// refusals are the codes by which SQS, SNS and DynamoDB refuse a call for what is in it. Codes about permissions, keys,
// limits of rate, or resources that are missing are left out: their causes lie elsewhere, and may end.
var refusals = []string{
	"InvalidMessageContents", "InvalidParameterValue", "InvalidParameterValueException", "InvalidAttributeValue",
	"MissingParameter", "MissingRequiredParameterException", "BatchRequestTooLong",
	"InvalidParameter", "InvalidParameterException", "ParameterValueInvalid",
	"ValidationError", "ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException",
}

// Refused reports whether a service refused a call for what is in it: the same call would be refused each time.
func Refused(err error) bool {
	var answer interface{ ErrorCode() string } // smithy.APIError, which this package can't import
	return errors.As(err, &answer) && slices.Contains(refusals, answer.ErrorCode())
}
