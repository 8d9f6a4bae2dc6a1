package dynamodb

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// Definition describes a table, in the terms of aws.dynamodb.Table.
type Definition struct {
	Name string
	// HashKey and RangeKey name the attributes of the key; RangeKey may be empty.
	HashKey, RangeKey string
	// Attributes are the types of all attributes that are keys of the table or of an index, and of no others.
	Attributes []Attribute
	Indexes    []Index
	// BillingMode must be PAY_PER_REQUEST: provisioned throughput is not simulated.
	BillingMode string
	// TTLAttribute names the attribute that holds the expiry in Unix seconds; empty: items don't expire.
	TTLAttribute string
	// StreamViewType is NEW_AND_OLD_IMAGES, NEW_IMAGE, OLD_IMAGE or KEYS_ONLY; empty: no stream.
	StreamViewType string
	// Encrypted, PointInTimeRecovery and DeletionProtection are stored and described, but have no effect.
	Encrypted, PointInTimeRecovery, DeletionProtection bool
}

// Attribute is a key attribute; Type is S, N or B.
type Attribute struct{ Name, Type string }

// Index is a global secondary index.
type Index struct {
	Name              string
	HashKey, RangeKey string
	// Projection is ALL, KEYS_ONLY or INCLUDE, the last with NonKeyAttributes.
	Projection       string
	NonKeyAttributes []string
}

// Limits of AWS: "Quotas in Amazon DynamoDB", DynamoDB developer guide.
const (
	maxIndexes   = 20
	maxProjected = 100
)

var (
	tableName   = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	projections = []string{"ALL", "KEYS_ONLY", "INCLUDE"}
	viewTypes   = []string{"", "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"}
	keyTypes    = []string{"S", "N", "B"}
)

// check returns the faults of the definition in plain words, not in AWS's: a program defines tables, not a caller of
// the API.
func (d Definition) check() error {
	switch {
	case !tableName.MatchString(d.Name):
		return fmt.Errorf("the name must match %v", tableName)
	case d.BillingMode != "PAY_PER_REQUEST":
		return fmt.Errorf("billing mode %q is not simulated, only PAY_PER_REQUEST", d.BillingMode)
	case !slices.Contains(viewTypes, d.StreamViewType):
		return fmt.Errorf("stream view type %q is not one of %q", d.StreamViewType, viewTypes[1:])
	case len(d.Indexes) > maxIndexes:
		return fmt.Errorf("%d indexes; %d are allowed", len(d.Indexes), maxIndexes)
	}
	return errors.Join(d.checkIndexes(), d.checkAttributes())
}

// checkIndexes checks everything but the indexes' keys, which checkAttributes checks together with the table's.
func (d Definition) checkIndexes() error {
	seen := map[string]bool{}
	for _, x := range d.Indexes {
		switch {
		case !tableName.MatchString(x.Name):
			return fmt.Errorf("index %q: the name must match %v", x.Name, tableName)
		case seen[x.Name]:
			return fmt.Errorf("index %q: stands twice", x.Name)
		case !slices.Contains(projections, x.Projection):
			return fmt.Errorf("index %q: projection %q is not one of %q", x.Name, x.Projection, projections)
		case (x.Projection == "INCLUDE") != (len(x.NonKeyAttributes) > 0):
			return fmt.Errorf("index %q: non-key attributes go with projection INCLUDE, and it with them", x.Name)
		case len(x.NonKeyAttributes) > maxProjected:
			return fmt.Errorf("index %q: %d non-key attributes; %d are allowed", x.Name, len(x.NonKeyAttributes), maxProjected)
		}
		seen[x.Name] = true
	}
	return nil
}

// checkAttributes checks that the defined attributes are exactly those that serve as keys.
func (d Definition) checkAttributes() error {
	unused := map[string]bool{}
	for _, a := range d.Attributes {
		if !slices.Contains(keyTypes, a.Type) {
			return fmt.Errorf("attribute %q: type %q is not one of %q", a.Name, a.Type, keyTypes)
		}
		if unused[a.Name] {
			return fmt.Errorf("attribute %q: stands twice", a.Name)
		}
		unused[a.Name] = true
	}
	for _, k := range d.keys() {
		if k.hash == "" || k.hash == k.rng {
			return fmt.Errorf("%s: a hash key, and a range key other than it, are needed", k.of)
		}
		for _, name := range []string{k.hash, k.rng} {
			if name != "" && d.typeOf(name) == attribute.None {
				return fmt.Errorf("%s: key attribute %q is not among the attributes", k.of, name)
			}
		}
	}
	for _, k := range d.keys() {
		delete(unused, k.hash)
		delete(unused, k.rng)
	}
	for name := range unused {
		return fmt.Errorf("attribute %q is not a key of the table or of an index", name)
	}
	return nil
}

// keyNames are the key attributes of the table or of an index; of names that table or index in errors.
type keyNames struct{ of, hash, rng string }

func (d Definition) keys() []keyNames {
	keys := []keyNames{{"table", d.HashKey, d.RangeKey}}
	for _, x := range d.Indexes {
		keys = append(keys, keyNames{fmt.Sprintf("index %q", x.Name), x.HashKey, x.RangeKey})
	}
	return keys
}

// typeOf returns the type of a defined attribute, or None if it is not defined.
func (d Definition) typeOf(name string) attribute.Kind {
	for _, a := range d.Attributes {
		if a.Name == name {
			return attribute.ParseKind(a.Type)
		}
	}
	return attribute.None
}
