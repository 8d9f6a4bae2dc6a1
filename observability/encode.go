package observability

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bounds keep a value from filling a line: bytes of a text, members of a collection, levels of nesting.
type bounds struct{ text, members, depth int }

// encoder writes values as JSON, and of each only what its key allows.
type encoder struct {
	b      []byte
	limits bounds
	depth  int
}

// encodeJSON is a value as JSON, redacted and bounded, for a trace's metadata.
func encodeJSON(key string, value any, limits bounds) json.RawMessage {
	e := encoder{limits: limits}
	e.value(key, slog.AnyValue(value))
	return e.b
}

// member writes a key of our own with its text.
func (e *encoder) member(key, value string) {
	e.b = append(e.b, ',')
	e.b = appendString(e.b, key)
	e.b = append(e.b, ':')
	e.b = appendString(e.b, value)
}

// flatten resolves attributes and puts the members of groups without a name in their place.
func flatten(attrs []slog.Attr) []slog.Attr {
	plain := attrs[:0:0]
	for _, a := range attrs {
		a.Value = resolve(a.Value)
		switch {
		case a.Equal(slog.Attr{}):
		case a.Value.Kind() == slog.KindGroup && a.Key == "":
			plain = append(plain, flatten(a.Value.Group())...)
		default:
			plain = append(plain, a)
		}
	}
	return plain
}

// resolve is the value that a LogValuer stands for; a panicking one must not cost the line.
func resolve(v slog.Value) (out slog.Value) {
	defer func() {
		if p := recover(); p != nil {
			out = slog.StringValue(fmt.Sprint("!PANIC: ", p))
		}
	}()
	return v.Resolve()
}

func has(attrs []slog.Attr, key string) bool {
	return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// attrs writes the members of an object. Of a key that is given twice the last value counts, and on the line itself a
// key of ours is not the caller's to set.
func (e *encoder) attrs(attrs []slog.Attr, comma bool) {
	for i, a := range attrs {
		if e.full() {
			return
		}
		if has(attrs[i+1:], a.Key) || (a.Value.Kind() == slog.KindGroup && len(flatten(a.Value.Group())) == 0) {
			continue
		}
		key := a.Key
		if e.depth == 0 && reservedInLog[key] {
			key = "property_" + key
		}
		e.key(key, comma)
		e.value(a.Key, a.Value)
		comma = true
	}
}

// full reports whether the line is too long already. What is written then is thrown away, so the rest need not be made.
func (e *encoder) full() bool { return len(e.b) > maxLogLine }

func (e *encoder) key(key string, comma bool) {
	if comma {
		e.b = append(e.b, ',')
	}
	e.text(key)
	e.b = append(e.b, ':')
}

// reservedInLog are the keys that every log line has.
var reservedInLog = map[string]bool{
	"timestamp": true, "level": true, "message": true, "requestId": true, "traceId": true, "coldStart": true,
	"correlationId": true, "_aws": true,
}

// value writes the value of a key.
func (e *encoder) value(key string, v slog.Value) {
	switch v.Kind() {
	case slog.KindGroup:
		e.nested(func() {
			e.b = append(e.b, '{')
			e.attrs(flatten(v.Group()), false)
			e.b = append(e.b, '}')
		})
	case slog.KindAny, slog.KindLogValuer:
		e.any(key, v.Any())
	default:
		e.plain(judge(key), v)
	}
}

// plain writes a value that holds no others.
func (e *encoder) plain(may verdict, v slog.Value) {
	if may != free && v.Kind() != slog.KindBool {
		e.text(may.of(v.String()))
		return
	}
	switch v.Kind() {
	case slog.KindInt64:
		e.b = strconv.AppendInt(e.b, v.Int64(), 10)
	case slog.KindUint64:
		e.b = strconv.AppendUint(e.b, v.Uint64(), 10)
	case slog.KindFloat64:
		e.float(v.Float64())
	case slog.KindBool:
		e.b = strconv.AppendBool(e.b, v.Bool())
	case slog.KindDuration:
		e.b = strconv.AppendInt(e.b, int64(v.Duration()), 10)
	case slog.KindTime:
		e.b = append(e.b, '"')
		e.b = v.Time().AppendFormat(e.b, time.RFC3339Nano)
		e.b = append(e.b, '"')
	default:
		e.text(scrub(v.String()))
	}
}

// float writes a number; JSON has no NaN and no infinities.
func (e *encoder) float(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.text(printable(v))
		return
	}
	e.b = strconv.AppendFloat(e.b, v, 'g', -1, 64)
}

// text writes a string, cut at the limit and valid in any case.
func (e *encoder) text(s string) {
	if len(s) > e.limits.text {
		s = strings.ToValidUTF8(s[:e.limits.text], "") + "…"
	}
	e.b = appendString(e.b, s)
}

// nested guards against what is nested too deep, or refers to itself.
func (e *encoder) nested(write func()) {
	if e.depth >= e.limits.depth {
		e.b = append(e.b, `"…"`...)
		return
	}
	e.depth++
	write()
	e.depth--
}

// any writes a value of any type. One whose own methods panic costs itself, not the line.
func (e *encoder) any(key string, v any) {
	before, depth := len(e.b), e.depth
	defer func() {
		if p := recover(); p != nil {
			e.b, e.depth = e.b[:before], depth
			e.text(fmt.Sprint("!PANIC: ", p))
		}
	}()
	switch v := v.(type) {
	case nil:
		e.b = append(e.b, "null"...)
	case slog.LogValuer:
		e.value(key, resolve(slog.AnyValue(v)))
	case []slog.Attr:
		e.value(key, slog.GroupValue(v...))
	case error:
		e.error(key, v)
	case json.Marshaler:
		e.marshalled(key, v)
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			text = []byte(err.Error())
		}
		e.plain(judge(key), slog.StringValue(string(text)))
	default:
		e.reflected(key, reflect.ValueOf(v))
	}
}

// marshalled writes a value that writes itself as JSON, by reading it again: what is in there has keys, too.
func (e *encoder) marshalled(key string, v json.Marshaler) {
	if t, err := json.Marshal(v); err != nil {
		e.text("!ERROR: " + err.Error())
	} else {
		var read any
		_ = json.Unmarshal(t, &read) // Marshal gives valid JSON
		e.reflected(key, reflect.ValueOf(read))
	}
}

// reflected writes a value by its kind.
func (e *encoder) reflected(key string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Invalid:
		e.b = append(e.b, "null"...)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			e.b = append(e.b, "null"...)
			return
		}
		e.nested(func() { e.inner(key, v.Elem()) })
	case reflect.Struct:
		e.nested(func() { e.fields(v) })
	case reflect.Map:
		e.nested(func() { e.entries(v) })
	case reflect.Slice, reflect.Array:
		e.elements(key, v)
	default:
		e.plain(judge(key), scalar(v))
	}
}

// inner writes a value inside of another one, by its own methods where it has some.
func (e *encoder) inner(key string, v reflect.Value) {
	if v.Kind() != reflect.Invalid && v.CanInterface() {
		e.any(key, v.Interface())
		return
	}
	e.reflected(key, v)
}

func scalar(v reflect.Value) slog.Value {
	switch {
	case v.CanInt():
		return slog.Int64Value(v.Int())
	case v.CanUint():
		return slog.Uint64Value(v.Uint())
	case v.CanFloat():
		return slog.Float64Value(v.Float())
	case v.Kind() == reflect.Bool:
		return slog.BoolValue(v.Bool())
	case v.Kind() == reflect.String:
		return slog.StringValue(v.String())
	}
	return slog.StringValue(v.Type().String()) // functions, channels, complex numbers
}

// fields writes a struct's exported fields by their names in JSON.
func (e *encoder) fields(v reflect.Value) {
	e.b = append(e.b, '{')
	first := true
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		promoted := f.Anonymous && name == "" && isStruct(f.Type)
		if !f.IsExported() || name == "-" || promoted {
			continue
		}
		value, err := v.FieldByIndexErr(f.Index) // fails where an embedded pointer is nil
		if err != nil || (strings.Contains(options, "omitempty") && value.IsZero()) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		e.key(name, !first)
		e.inner(name, value)
		first = false
	}
	e.b = append(e.b, '}')
}

// entries writes a map by its sorted keys.
func (e *encoder) entries(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	e.b = append(e.b, '{')
	for i, k := range keys[:min(len(keys), e.limits.members)] {
		if e.full() {
			return
		}
		name := fmt.Sprint(k)
		e.key(name, i > 0)
		e.inner(name, v.MapIndex(k))
	}
	if more := len(keys) - e.limits.members; more > 0 {
		e.key("…", true)
		e.b = strconv.AppendInt(e.b, int64(more), 10)
	}
	e.b = append(e.b, '}')
}

// elements writes a list, each element by the list's key. Bytes are text if they look like it.
func (e *encoder) elements(key string, v reflect.Value) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		e.plain(judge(key), slog.StringValue(strings.ToValidUTF8(string(v.Bytes()), "\uFFFD")))
		return
	}
	e.nested(func() {
		e.b = append(e.b, '[')
		for i := range min(v.Len(), e.limits.members) {
			if e.full() {
				return
			}
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.inner(key, v.Index(i))
		}
		if more := v.Len() - e.limits.members; more > 0 {
			e.b = append(e.b, fmt.Sprintf(`,"… %d more"`, more)...)
		}
		e.b = append(e.b, ']')
	})
}

func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || (t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct)
}
