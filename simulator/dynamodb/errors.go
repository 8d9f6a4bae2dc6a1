package dynamodb

import (
	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/wire"
)

// invalid is AWS's ValidationException.
func invalid(format string, args ...any) *wire.Error {
	e := wire.Errorf("ValidationException", format, args...)
	e.Prefix = "com.amazon.coral.validate"
	return e
}

func notFound(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceNotFoundException", format, args...)
}

// conditionFailed carries the item that did not meet the condition, if the request asked for it; otherwise item is nil.
func conditionFailed(item attribute.Item) *wire.Error {
	e := wire.Errorf("ConditionalCheckFailedException", "The conditional request failed")
	if item != nil {
		e.Fields = map[string]any{"Item": item}
	}
	return e
}
