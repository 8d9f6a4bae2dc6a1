package message

import (
	"encoding/json"
	"strconv"
	"strings"
)

// text decodes a JSON string.
func text(name, raw string) (string, *Rejection) {
	switch {
	case raw[0] != '"':
		return "", Reject(ReasonMalformed, name+" must be a string")
	case !strings.Contains(raw, `\`):
		return raw[1 : len(raw)-1], nil
	case loneSurrogate(raw):
		return "", Reject(ReasonMalformed, name+" holds half a surrogate pair, which is not valid UTF-8")
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", Reject(ReasonMalformed, name+" is not a valid string")
	}
	return s, nil
}

// loneSurrogate reports whether any string in a JSON value has a \u escape of half a surrogate pair without its other
// half, which encoding/json would silently replace with U+FFFD.
func loneSurrogate(value string) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		unit := escapedUnit(value[i:])
		switch {
		case unit < 0xD800 || unit > 0xDFFF:
			i++ // skips the escaped character, which may itself be a backslash
		case unit <= 0xDBFF && isLow(escapedUnit(value[i+6:])):
			i += 11 // each of the two escapes has six bytes
		default:
			return true
		}
	}
	return false
}

func isLow(unit int) bool { return unit >= 0xDC00 && unit <= 0xDFFF }

// escapedUnit returns the UTF-16 code unit of a \uXXXX escape at the start of s, or -1.
func escapedUnit(s string) int {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return int(unit)
}
