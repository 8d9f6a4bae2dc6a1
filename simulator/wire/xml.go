package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// queryAnswer encodes a query request's result as XML. An action without any output has no Result element, as on AWS.
func queryAnswer(s Service, action, requestID string, out any) ([]byte, error) {
	w := &xmlWriter{}
	w.WriteString(`<?xml version="1.0"?><` + action + `Response xmlns="` + s.QueryNamespace + `">`)
	if v := reflect.ValueOf(out).Elem(); v.NumField() > 0 {
		w.open(action + "Result")
		w.members(v)
		w.close(action + "Result")
	}
	w.WriteString("<ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>")
	w.close(action + "Response")
	return w.Bytes(), w.err
}

// queryError encodes an error as XML.
func queryError(s Service, requestID string, e *Error) []byte {
	w := &xmlWriter{}
	w.WriteString(`<?xml version="1.0"?><ErrorResponse xmlns="` + s.QueryNamespace + `"><Error>`)
	w.text("Type", e.fault())
	w.text("Code", e.QueryName())
	w.text("Message", e.Message)
	w.WriteString("<Detail/></Error>")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return w.Bytes()
}

// xmlWriter encodes outputs by the same field tags by which inputs are decoded.
type xmlWriter struct {
	bytes.Buffer
	err error
}

func (w *xmlWriter) open(name string)  { w.WriteString("<" + name + ">") }
func (w *xmlWriter) close(name string) { w.WriteString("</" + name + ">") }

// text writes a text element; XML's own characters are escaped.
func (w *xmlWriter) text(name, text string) {
	w.open(name)
	_ = xml.EscapeText(w, []byte(text)) // a Buffer accepts everything
	w.close(name)
}

// members writes a struct's fields.
func (w *xmlWriter) members(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()).list {
		fv := v.FieldByIndex(f.index)
		switch {
		case f.omitEmpty && empty(fv), fv.Kind() == reflect.Pointer && fv.IsNil():
		case fv.Kind() == reflect.Map:
			w.mapOf(f, fv)
		case fv.Kind() == reflect.Slice && !isBytes(fv.Type()):
			w.list(f, fv)
		default:
			w.value(f.name, fv)
		}
	}
}

// empty reports whether encoding/json's omitempty omits a value.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// list writes a list's elements: flattened under their own name, or as <member> inside the list's.
func (w *xmlWriter) list(f field, v reflect.Value) {
	item := f.flat
	if item == "" {
		item = "member"
		w.open(f.name)
		defer w.close(f.name)
	}
	for i := range v.Len() {
		w.value(item, v.Index(i))
	}
}

// mapOf writes a map's pairs in key order, so that responses can be compared.
func (w *xmlWriter) mapOf(f field, v reflect.Value) {
	item := f.flat
	if item == "" {
		item = "entry"
		w.open(f.name)
		defer w.close(f.name)
	}
	byKey := map[string]reflect.Value{}
	for _, key := range v.MapKeys() {
		byKey[key.String()] = v.MapIndex(key)
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		w.open(item)
		w.text(f.key, key)
		w.value(f.value, byKey[key])
		w.close(item)
	}
}

// value writes one value under a name.
func (w *xmlWriter) value(name string, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if t, ok := v.Interface().(Time); ok {
		w.text(name, t.UTC().Format(time.RFC3339Nano))
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		w.open(name)
		w.members(v)
		w.close(name)
	case isBytes(v.Type()):
		w.text(name, base64.StdEncoding.EncodeToString(v.Bytes()))
	case v.Kind() == reflect.Map, v.Kind() == reflect.Slice, v.Kind() == reflect.Interface:
		w.err = fmt.Errorf("a %s inside a list or map has no query form", v.Type())
	default:
		w.text(name, fmt.Sprint(v.Interface()))
	}
}
