package dynamodb

import (
	"strings"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// span is the part of a table or index that a Query may read: one hash key, and the range keys from low to high. The
// zero span is everything, for a Scan.
type span struct {
	bounded   bool
	bucket    uint64
	hash      string
	low, high limit
}

// limit is one end of a span's range keys, encoded by SortKey.
type limit struct {
	set       bool
	key       string
	exclusive bool
}

// spanOf matches key conditions with a key: the hash key needs an =, the range key may have one condition of any kind.
func spanOf(key schema, conditions []expression.KeyCondition) (span, error) {
	byName := map[string]expression.KeyCondition{}
	for _, c := range conditions {
		if _, twice := byName[c.Name]; twice {
			return span{}, invalid("KeyConditionExpressions must only contain one condition per key")
		}
		byName[c.Name] = c
	}
	hash, ok := byName[key.hash.name]
	switch {
	case len(conditions) > 2:
		return span{}, invalid("Conditions can be of length 1 or 2 only")
	case !ok:
		return span{}, invalid("Query condition missed key schema element: %s", key.hash.name)
	case hash.Op != "=":
		return span{}, invalid("Query key condition not supported")
	}
	delete(byName, key.hash.name)
	rng, ranged := byName[key.rng.name]
	switch {
	case len(byName) == 1 && key.rng.name == "":
		return span{}, invalid("Query key condition not supported")
	case len(byName) == 1 && !ranged:
		return span{}, invalid("Query condition missed key schema element: %s", key.rng.name)
	}
	if err := checkOperands(key.hash, hash); err != nil {
		return span{}, err
	}
	s := span{bounded: true, hash: hash.Values[0].SortKey()}
	s.bucket = bucketOf(s.hash)
	if !ranged {
		return s, nil
	}
	if err := checkOperands(key.rng, rng); err != nil {
		return span{}, err
	}
	s.low, s.high = limits(rng)
	return s, nil
}

// checkOperands refuses values that the key attribute can't have.
func checkOperands(part keyPart, c expression.KeyCondition) error {
	for _, v := range c.Values {
		if v.Kind() != part.kind {
			return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
		}
		if v.Kind() != attribute.Number && v.Text() == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", long(part.kind), part.name)
		}
	}
	return nil
}

// limits turns a condition on the range key into the two ends of a span. begins_with reads up to the first key beyond
// the prefix.
func limits(c expression.KeyCondition) (low, high limit) {
	key := c.Values[0].SortKey()
	switch c.Op {
	case "=":
		return limit{true, key, false}, limit{true, key, false}
	case "<":
		return limit{}, limit{true, key, true}
	case "<=":
		return limit{}, limit{true, key, false}
	case ">":
		return limit{true, key, true}, limit{}
	case ">=":
		return limit{true, key, false}, limit{}
	case "BETWEEN":
		return limit{true, key, false}, limit{true, c.Values[1].SortKey(), false}
	}
	next, some := successor(key)
	return limit{true, key, false}, limit{some, next, some}
}

// successor returns the first text after all those that begin with the prefix. A prefix of 0xFF bytes alone has none.
func successor(prefix string) (string, bool) {
	last := len(prefix) - 1
	for last >= 0 && prefix[last] == 0xFF {
		last--
	}
	if last < 0 {
		return "", false
	}
	return prefix[:last] + string([]byte{prefix[last] + 1}), true
}

// contains reports whether a position is within the span.
func (s span) contains(p position) bool {
	if !s.bounded {
		return true
	}
	return p.hash == s.hash && s.low.admits(p.rng, 1) && s.high.admits(p.rng, -1)
}

// admits reports whether a key lies within the limit: above it for side 1, below it for side -1.
func (l limit) admits(key string, side int) bool {
	c := strings.Compare(key, l.key) * side
	return !l.set || c > 0 || c == 0 && !l.exclusive
}

// from returns the bound where reading starts: just before the span's first row or, backwards, just after its last.
func (s span) from(forward bool) position {
	start, edge := s.low, -1
	if !forward {
		start, edge = s.high, 1
	}
	if start.exclusive {
		edge = -edge
	}
	at := position{bucket: s.bucket, hash: s.hash, depth: partition, edge: edge}
	if start.set {
		at.depth, at.rng = rangeKey, start.key
	}
	return at
}
