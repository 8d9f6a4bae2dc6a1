package wire

import (
	"reflect"
	"strings"
	"sync"
)

// field is what the protocols need to know about one field of an input or output.
type field struct {
	index []int // the path through embedded structs
	// name is the member's name in JSON, and in the query protocol unless it is flattened.
	name string
	// omitEmpty omits a zero value from a response.
	omitEmpty bool
	// flat is the name under which a list or map is flattened in the query protocol, "" if it is not flattened.
	flat string
	// key and value are the names of a map's keys and values in the query protocol.
	key, value string
}

// queryName is the first part of the field's names in the query protocol.
func (f field) queryName() string {
	if f.flat != "" {
		return f.flat
	}
	return f.name
}

// fieldSet is a struct type's fields, in order and by name in the two protocols.
type fieldSet struct {
	list    []field
	byJSON  map[string]field
	byQuery map[string]field
}

var fieldSets sync.Map // of reflect.Type to fieldSet

// fieldsOf returns the fields of a struct type, which it inspects only once.
func fieldsOf(t reflect.Type) fieldSet {
	if known, ok := fieldSets.Load(t); ok {
		return known.(fieldSet)
	}
	set := fieldSet{byJSON: map[string]field{}, byQuery: map[string]field{}}
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous || !sf.IsExported() || sf.Tag.Get("json") == "-" {
			continue
		}
		f := newField(sf)
		set.list = append(set.list, f)
		set.byJSON[f.name] = f
		set.byQuery[f.queryName()] = f
	}
	fieldSets.Store(t, set)
	return set
}

// newField parses a field's tags, see Do.
func newField(sf reflect.StructField) field {
	f := field{index: sf.Index, name: sf.Name, key: "key", value: "value"}
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	if name != "" {
		f.name = name
	}
	f.omitEmpty = strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
	query := strings.Split(sf.Tag.Get("query"), ",")
	f.flat = query[0]
	switch {
	case len(query) == 3:
		f.key, f.value = query[1], query[2]
	case f.flat != "":
		f.key, f.value = "Name", "Value"
	}
	return f
}
