package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeJSON decodes a JSON object into a struct, and refuses what encoding/json accepts: a member that the struct
// lacks, or has in another case, a duplicate member, and invalid UTF-8. Types with their own UnmarshalJSON decode
// themselves. Violated rules of the shape are an error of type violations.
func decodeJSON(body []byte, into any, shape *Shape) error {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		body = []byte("{}") // AWS accepts an empty body as an empty input
	case !utf8.Valid(body):
		return errors.New("the body is not valid UTF-8")
	}
	// encoding/json reports the position of a syntax error; after this check the walk below may rely on the syntax.
	var syntax json.RawMessage
	if err := json.Unmarshal(body, &syntax); err != nil {
		return err
	}
	if loneSurrogate(body) {
		return errors.New("the body has half a surrogate pair, which is no character")
	}
	var found violations
	err := decodeValue(bytes.TrimSpace(body), reflect.ValueOf(into).Elem(), place{shape: shape, found: &found})
	if err == nil && len(found) > 0 {
		return found
	}
	return err
}

// loneSurrogate finds an escape such as \ud83d without its other half, which encoding/json would replace. In valid JSON
// every backslash begins an escape.
func loneSurrogate(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if r := escaped(body[i:]); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, escaped(body[i+6:])) == utf8.RuneError {
				return true
			}
			i += 6 // at the second half, which is skipped like any escape
		}
		i++ // the character after a backslash may be a backslash
	}
	return false
}

// escaped returns the character of an escape \uXXXX at the start of a text, -1 if there is none.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 32)
	if err != nil {
		return -1
	}
	return rune(r)
}

// decodeValue decodes one value at a place, with a path such as "Entries[0].Id", "" being the input itself.
func decodeValue(raw []byte, into reflect.Value, at place) error {
	switch {
	case at.path != "" && string(raw) == "null":
		return nil // as on AWS, a null member counts as absent
	case !walked(into.Type()):
		if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
			return fmt.Errorf("member %s: %w", at.path, err)
		}
		at.check(into)
		return nil
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return decodeValue(raw, into.Elem(), at)
	case reflect.Slice:
		return decodeList(raw, into, at)
	case reflect.Map:
		return decodeMap(raw, into, at)
	default:
		return decodeStruct(raw, into, at)
	}
}

// decodeStruct decodes an object member by member, so that each error can name its member.
func decodeStruct(raw []byte, into reflect.Value, at place) error {
	fields := fieldsOf(into.Type())
	seen, there := map[string]bool{}, map[string]bool{}
	err := eachMember(raw, at.path, func(name string, value []byte) error {
		f, ok := fields.byJSON[name]
		switch {
		case !ok:
			return at.unknown("member", name)
		case seen[name]:
			return fmt.Errorf("member %s stands twice", join(at.path, name))
		}
		seen[name], there[name] = true, string(value) != "null"
		return decodeValue(value, into.FieldByIndex(f.index), at.member(name))
	})
	at.require(func(name string) bool { return there[name] })
	return err
}

// decodeMap decodes an object whose names are data. encoding/json would silently keep the second of two equal names.
func decodeMap(raw []byte, into reflect.Value, at place) error {
	into.Set(reflect.MakeMap(into.Type()))
	err := eachMember(raw, at.path, func(name string, value []byte) error {
		path := join(at.path, name)
		key := reflect.ValueOf(name).Convert(into.Type().Key())
		if into.MapIndex(key).IsValid() {
			return fmt.Errorf("member %s stands twice", path)
		}
		elem, err := decodeElem(value, into.Type().Elem(), at.element(path))
		if err != nil {
			return err
		}
		into.SetMapIndex(key, elem)
		return nil
	})
	at.check(into)
	return err
}

// decodeList decodes a list element by element.
func decodeList(raw []byte, into reflect.Value, at place) error {
	if raw[0] != '[' {
		return fmt.Errorf("member %s must be a list", at.path)
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, 4))
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		end := skipValue(raw, i)
		elem, err := decodeElem(raw[i:end], into.Type().Elem(), at.element(fmt.Sprintf("%s[%d]", at.path, into.Len())))
		if err != nil {
			return err
		}
		into.Set(reflect.Append(into, elem))
		i = skipComma(raw, end)
	}
	at.check(into)
	return nil
}

// decodeElem decodes an element of a list or map, which unlike a member may not be null.
func decodeElem(raw []byte, t reflect.Type, at place) (reflect.Value, error) {
	elem := reflect.New(t).Elem()
	if string(raw) == "null" {
		return elem, fmt.Errorf("%s must not be null", at.path)
	}
	return elem, decodeValue(raw, elem, at)
}

// walked reports whether values of a type are walked here, member by member, because they contain a struct:
// encoding/json alone would not be strict about it.
func walked(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		return true
	case reflect.Map:
		// Maps are always walked, so that a duplicate key is noticed.
		return t.Key().Kind() == reflect.String
	case reflect.Pointer, reflect.Slice:
		return walked(t.Elem())
	default:
		return false
	}
}

// eachMember calls do for each member of a syntactically valid object.
func eachMember(raw []byte, path string, do func(name string, value []byte) error) error {
	if raw[0] != '{' {
		if path == "" {
			return errors.New("the body must be a JSON object")
		}
		return fmt.Errorf("member %s must be an object", path)
	}
	for i := skipSpace(raw, 1); raw[i] != '}'; {
		end := skipValue(raw, i)
		var name string
		if err := json.Unmarshal(raw[i:end], &name); err != nil {
			return err
		}
		i = skipSpace(raw, skipSpace(raw, end)+1) // past the colon
		end = skipValue(raw, i)
		if err := do(name, raw[i:end]); err != nil {
			return err
		}
		i = skipComma(raw, end)
	}
	return nil
}

// skipValue returns where the value that starts at i ends.
func skipValue(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		return skipNested(raw, i)
	}
	for i < len(raw) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(raw[i])) {
		i++
	}
	return i
}

// skipString skips from the opening quote past the closing one; a backslash escapes the next character.
func skipString(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipNested skips past the bracket that closes the one at i. Objects and lists need not be distinguished, since the
// syntax is valid; only brackets inside texts must be ignored.
func skipNested(raw []byte, i int) int {
	for depth := 0; ; i++ {
		switch raw[i] {
		case '"':
			i = skipString(raw, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// skipSpace skips to the next character that is not JSON white space.
func skipSpace(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\r' || raw[i] == '\n' {
		i++
	}
	return i
}

// skipComma skips from the end of a value to the start of the next one, or to the closing bracket.
func skipComma(raw []byte, i int) int {
	if i = skipSpace(raw, i); raw[i] == ',' {
		i = skipSpace(raw, i+1)
	}
	return i
}

// join returns the path of a member.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// encodeJSON encodes the body of a JSON response. AWS does not escape <, > and &, and unescaped messages are easier to
// recognize in byte-by-byte comparisons.
func encodeJSON(out any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// errorJSON encodes the body of an error in the JSON protocol.
func errorJSON(prefix string, e *Error) ([]byte, error) {
	body := map[string]any{}
	for name, value := range e.Fields {
		body[name] = value
	}
	body["__type"], body["message"] = e.Code, e.Message
	if prefix != "" {
		body["__type"] = prefix + "#" + e.Code
	}
	return encodeJSON(body)
}
