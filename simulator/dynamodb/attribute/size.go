package attribute

// Sizes as DynamoDB counts them for its limits and its bills.
// Source: "DynamoDB item sizes and formats", DynamoDB developer guide.

// documentOverhead is the size of an empty list or map; each element adds one byte to its own size.
const documentOverhead = 3

// ItemSize returns an item's size in bytes: names and values.
func ItemSize(item Item) int {
	size := 0
	for name, v := range item {
		size += len(name) + v.Size()
	}
	return size
}

// Size returns the value's size in bytes, without its name.
func (v Value) Size() int {
	switch v.kind {
	case String, Binary:
		return len(v.text)
	case Number:
		return v.Decimal().size()
	case Bool, Null:
		return 1
	case List:
		return documentOverhead + len(v.list) + sumSizes(v.list)
	case Map:
		return documentOverhead + len(v.m) + ItemSize(v.m)
	default:
		return sumSizes(v.list)
	}
}

func sumSizes(values []Value) int {
	size := 0
	for _, v := range values {
		size += v.Size()
	}
	return size
}

// size is one byte, one for every two significant digits, and one for a minus sign. AWS's documentation calls its own
// rule approximate.
func (d Decimal) size() int {
	size := 1 + (len(d.digits)+1)/2
	if d.negative {
		size++
	}
	return size
}
