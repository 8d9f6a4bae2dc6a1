package direct

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// value is an attribute of one of the types that the table has, in DynamoDB's JSON.
type value struct {
	S    *string `json:",omitempty"`
	N    *string `json:",omitempty"`
	BOOL *bool   `json:",omitempty"`
	B    []byte  `json:",omitempty"`
}

// errOther means that an item has an attribute of another type.
var errOther = errors.New("the item has an attribute that is no string, number, bool or bytes")

// texts returns attributes if all are strings.
func texts(attributes map[string]types.AttributeValue) (all map[string]value, ok bool) {
	for name, a := range attributes {
		text, ok := a.(*types.AttributeValueMemberS)
		if !ok {
			return nil, false
		}
		if all == nil {
			all = make(map[string]value, len(attributes))
		}
		all[name] = value{S: &text.Value}
	}
	return all, true
}

// attributes returns an item as the SDK has it, nil for nil.
func attributes(item map[string]value) (map[string]types.AttributeValue, error) {
	if item == nil {
		return nil, nil
	}
	all := make(map[string]types.AttributeValue, len(item))
	for name, v := range item {
		switch {
		case v.S != nil:
			all[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			all[name] = &types.AttributeValueMemberN{Value: *v.N}
		case v.BOOL != nil:
			all[name] = &types.AttributeValueMemberBOOL{Value: *v.BOOL}
		case v.B != nil:
			all[name] = &types.AttributeValueMemberB{Value: v.B}
		default:
			return nil, errOther
		}
	}
	return all, nil
}
