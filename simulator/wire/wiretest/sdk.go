package wiretest

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"heliograph/simulator/wire"
)

// sdkTypes returns the SDK's input and output of an action, nil if it has no such action.
func sdkTypes(client any, action string) (input, output reflect.Type) {
	method, ok := reflect.TypeOf(client).MethodByName(action)
	if !ok {
		return nil, nil
	}
	return method.Type.In(2).Elem(), method.Type.Out(0).Elem()
}

// membersOf returns the names of a structure's members in the SDK.
func membersOf(sdk reflect.Type) (names []string) {
	if sdk == nil || sdk.Kind() != reflect.Struct || sdk == reflect.TypeFor[time.Time]() {
		return nil
	}
	for field := range sdk.Fields() {
		if field.IsExported() && field.Name != "ResultMetadata" {
			names = append(names, field.Name)
		}
	}
	return names
}

// part returns the type of a structure's member, or of the elements of a list or map.
func part(sdk reflect.Type, member string) reflect.Type {
	switch {
	case sdk == nil:
		return nil
	case sdk.Kind() == reflect.Struct:
		field, _ := sdk.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, member) })
		return plain(field.Type)
	case sdk.Kind() == reflect.Slice || sdk.Kind() == reflect.Map:
		return plain(sdk.Elem())
	default:
		return nil
	}
}

// plain removes the pointer from a type.
func plain(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// holdAgainstSDK proves that the actions' inputs and outputs have only members that the SDK has, of the same kind.
func holdAgainstSDK(t *testing.T, service wire.Service, client any) {
	t.Helper()
	for action, a := range service.Actions {
		input, output := a.Types()
		sdkInput, sdkOutput := sdkTypes(client, action)
		if sdkInput == nil {
			t.Errorf("the SDK has no action %s", action)
			continue
		}
		sameMembers(t, action+" input", input, sdkInput)
		sameMembers(t, action+" output", output, sdkOutput)
	}
}

// sameMembers compares one of our types with the SDK's.
func sameMembers(t *testing.T, at string, ours, sdk reflect.Type) {
	t.Helper()
	ours, sdk = plain(ours), plain(sdk)
	if readsItself(ours) || sdk.Kind() == reflect.Interface {
		return // DynamoDB's values, and times: their own tests cover them
	}
	if a, b := kind(ours), kind(sdk); a != b {
		t.Errorf("%s is a %s; AWS has a %s", at, a, b)
		return
	}
	switch ours.Kind() {
	case reflect.Slice, reflect.Map:
		sameMembers(t, at+"[]", ours.Elem(), sdk.Elem())
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(ours) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				name = field.Name
			}
			if field.Anonymous || name == "-" {
				continue
			}
			member := part(sdk, name)
			if member == nil {
				t.Errorf("AWS has no member %s.%s", at, name)
				continue
			}
			sameMembers(t, at+"."+name, field.Type, member)
		}
	}
}

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// kind is a type's kind as distinguished in JSON; a time is a number of seconds.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return "number"
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "number"
		}
	}
	return t.Kind().String()
}
