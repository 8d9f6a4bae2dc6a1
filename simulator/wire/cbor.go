package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// rpcProtocol is the header Smithy-Protocol of requests and responses in CBOR.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
const rpcProtocol = "rpc-v2-cbor"

// readCBOR determines the service and action of a CBOR request from its path, /service/<service>/operation/<action>.
// The body is then read like JSON, and as strictly.
func (e *Endpoint) readCBOR(r *http.Request, service string, body []byte, a *answer) (string, decoder, error) {
	parts := strings.Split(r.URL.Path, "/")
	if r.Method != http.MethodPost || len(parts) != 5 || parts[1] != "service" || parts[3] != "operation" {
		return "", nil, coralf("UnknownOperationException", "a CBOR request is a POST of /service/<service>/operation/<action>, not a %s of %s", r.Method, r.URL.Path)
	}
	s, known := e.find(func(s Service) bool { return s.CBOR && s.TargetPrefix == parts[2] })
	if a.service = s; !known {
		return "", nil, e.unknownService(r, a, service, fmt.Sprintf("the CBOR service %q", parts[2]))
	}
	return parts[4], func(a Action, shape *Shape) (any, error) {
		text, err := jsonOf(body)
		if err != nil {
			return nil, err
		}
		return a.decodeJSON(text, shape)
	}, nil
}

// jsonOf converts a CBOR body to JSON.
func jsonOf(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("the body is no CBOR: %w", err)
	}
	if v, err = untagged(v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// untagged removes the tags from times and converts undefined to null. encoding/json does the rest.
func untagged(v cbor.Value) (_ cbor.Value, err error) {
	switch v := v.(type) {
	case *cbor.Tag:
		if v.ID != 1 {
			return nil, fmt.Errorf("the CBOR tag %d is not known", v.ID)
		}
		return v.Value, nil
	case cbor.List:
		for i := range v {
			if v[i], err = untagged(v[i]); err != nil {
				return nil, err
			}
		}
	case cbor.Map:
		for name := range v {
			if v[name], err = untagged(v[name]); err != nil {
				return nil, err
			}
		}
	case cbor.NegInt:
		n, err := cbor.AsInt64(v)
		return cbor.Float64(n), err
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	}
	return v, nil
}

// encodeCBOR encodes the body of a CBOR response.
func encodeCBOR(out any) ([]byte, error) {
	v, err := cborOf(reflect.ValueOf(out))
	if err != nil {
		return nil, err
	}
	return cbor.Encode(v), nil
}

// cborOf encodes values by the same field tags as JSON.
func cborOf(v reflect.Value) (cbor.Value, error) {
	if v.Kind() == reflect.Pointer {
		return cborOf(v.Elem())
	}
	if t, ok := v.Interface().(Time); ok {
		return &cbor.Tag{ID: 1, Value: cbor.Float64(t.seconds())}, nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return cborMembers(v)
	case reflect.Map:
		m := cbor.Map{}
		for _, key := range v.MapKeys() {
			value, err := cborOf(v.MapIndex(key))
			if err != nil {
				return nil, err
			}
			m[key.String()] = value
		}
		return m, nil
	case reflect.Slice:
		if isBytes(v.Type()) {
			return cbor.Slice(v.Bytes()), nil
		}
		list := make(cbor.List, v.Len())
		for i := range list {
			var err error
			if list[i], err = cborOf(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return cborScalar(v)
}

func cborMembers(v reflect.Value) (cbor.Value, error) {
	m := cbor.Map{}
	for _, f := range fieldsOf(v.Type()).list {
		fv := v.FieldByIndex(f.index)
		if f.omitEmpty && empty(fv) || fv.Kind() == reflect.Pointer && fv.IsNil() {
			continue
		}
		value, err := cborOf(fv)
		if err != nil {
			return nil, err
		}
		m[f.name] = value
	}
	return m, nil
}

func cborScalar(v reflect.Value) (cbor.Value, error) {
	switch v.Kind() {
	case reflect.String:
		return cbor.String(v.String()), nil
	case reflect.Bool:
		return cbor.Bool(v.Bool()), nil
	case reflect.Float64:
		return cbor.Float64(v.Float()), nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			return cbor.NegInt(-n), nil
		}
		return cbor.Uint(v.Int()), nil
	}
	return nil, errors.New("a " + v.Type().String() + " has no CBOR form")
}

// errorCBOR encodes the body of an error.
func errorCBOR(prefix string, e *Error) []byte {
	code := e.Code
	if prefix != "" {
		code = prefix + "#" + e.Code
	}
	return cbor.Encode(cbor.Map{"__type": cbor.String(code), "message": cbor.String(e.Message)})
}
