package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// decode reads properties into a new value of a struct type, whose fields are the complete list of allowed properties.
func decode(properties resource.PropertyMap, into reflect.Type) (any, error) {
	values := plain(properties)
	if unknown := unknownProperties("", values, into); len(unknown) > 0 {
		return nil, fmt.Errorf("the simulator does not honour %s; it honours %s",
			strings.Join(unknown, ", "), strings.Join(propertyNames(into), ", "))
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	in := reflect.New(into).Interface()
	if err := json.Unmarshal(text, in); err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	if t, ok := in.(interface{ checkTags() error }); ok {
		return in, t.checkTags()
	}
	return in, nil
}

// plain converts Pulumi's values to JSON's: a secret becomes its content, an archive its path.
func plain(properties resource.PropertyMap) map[string]any {
	var replace func(resource.PropertyValue) (any, bool)
	replace = func(v resource.PropertyValue) (any, bool) {
		switch {
		case v.IsSecret():
			return v.SecretValue().Element.MapRepl(nil, replace), true
		case v.IsArchive():
			return v.ArchiveValue().Path, true
		}
		return nil, false
	}
	return properties.MapRepl(nil, replace)
}

// unknownProperties lists, with their paths, the properties for which a type has no field.
func unknownProperties(path string, value any, t reflect.Type) (unknown []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch value := value.(type) {
	case []any:
		for i, element := range value {
			unknown = append(unknown, unknownProperties(fmt.Sprintf("%s[%d]", path, i), element, t)...)
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil // a map, whose keys are data
		}
		fields := fieldsByName(t)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inner := strings.TrimPrefix(path+"."+name, ".")
			if field, ok := fields[name]; ok {
				unknown = append(unknown, unknownProperties(inner, value[name], field)...)
			} else {
				unknown = append(unknown, inner)
			}
		}
	}
	return unknown
}

// tagged is part of the properties of every type that can have tags.
type tagged struct {
	Tags map[string]string `json:"tags"`
}

// checkTags refuses tags that AWS refuses for any resource. Source: "Tag naming limits and requirements", Tagging AWS
// Resources.
func (t tagged) checkTags() error {
	if len(t.Tags) > 50 {
		return fmt.Errorf("there are %d tags; a resource has at most 50", len(t.Tags))
	}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		value := t.Tags[key]
		if key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") ||
			!tagText.MatchString(key) || !tagText.MatchString(value) {
			return fmt.Errorf("the tag %q with the value %q is not allowed: keys have 1 to 128 characters and don't begin with aws:, values have up to 256, "+
				"of letters, digits, spaces and _ . : / = + - @", key, value)
		}
	}
	return nil
}

var tagText = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]*$`)

func fieldsByName(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields[name] = field.Type
		}
	}
	return fields
}

func propertyNames(t reflect.Type) []string { return slices.Sorted(maps.Keys(fieldsByName(t))) }
