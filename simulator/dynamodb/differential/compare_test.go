package differential_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// outcome is everything that a client sees of an answer.
type outcome struct {
	// Output is the SDK's output or, for a request that was followed through its pages, a list of outputs.
	Output any
	// Fault is what errors.As finds in the error, or empty if there is none. Texts are not compared.
	Fault fault
}

// fault is the part of an error that a caller can base a decision on.
type fault struct {
	Code   string
	Type   string // the SDK's Go type for the code
	Status int    // the HTTP status
	text   string // not compared
	Item   item   // the one that did not meet the condition
}

// faultOf extracts the comparable parts of an error. A request without an answer gets a code of its own.
func faultOf(err error) fault {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return fault{Code: "no answer of DynamoDB", text: err.Error()}
	}
	f := fault{Code: e.ErrorCode(), Type: reflect.TypeOf(e).String(), text: e.ErrorMessage()}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		f.Status = response.HTTPStatusCode()
	}
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		f.Item = failed.Item
	}
	return f
}

// writes reports whether a request changes its table.
func writes(in any) bool {
	switch in.(type) {
	case *api.PutItemInput, *api.UpdateItemInput, *api.DeleteItemInput, *api.BatchWriteItemInput:
		return true
	}
	return false
}

// call makes one request for any of the actions.
func call(ctx context.Context, c *api.Client, in any) outcome {
	var out any
	var err error
	switch in := in.(type) {
	case *api.PutItemInput:
		out, err = c.PutItem(ctx, in)
	case *api.GetItemInput:
		out, err = c.GetItem(ctx, in)
	case *api.UpdateItemInput:
		out, err = c.UpdateItem(ctx, in)
	case *api.DeleteItemInput:
		out, err = c.DeleteItem(ctx, in)
	case *api.BatchGetItemInput:
		out, err = c.BatchGetItem(ctx, in)
	case *api.BatchWriteItemInput:
		out, err = c.BatchWriteItem(ctx, in)
	case *api.QueryInput:
		out, err = c.Query(ctx, in)
	case *api.ScanInput:
		out, err = c.Scan(ctx, in)
	default:
		panic(fmt.Sprintf("no action takes %T", in))
	}
	if err != nil {
		return outcome{Fault: faultOf(err)}
	}
	return outcome{Output: out}
}

// maxPages stops a Query that would never end.
const maxPages = 100

// follow reads a Query to its end. Each page continues where that side itself says that the previous one stopped.
func follow(ctx context.Context, c *api.Client, in *api.QueryInput) outcome {
	next := *in
	var pages []*api.QueryOutput
	for {
		out, err := c.Query(ctx, &next)
		switch {
		case err != nil:
			return outcome{Fault: faultOf(err), Output: pages}
		case len(pages) == maxPages:
			return outcome{Output: "more pages than items"}
		}
		pages = append(pages, out)
		if out.LastEvaluatedKey == nil {
			return outcome{Output: pages}
		}
		next.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// asSame are the options that decide whether two outcomes are equal. Sets have no order, nor have the items of a
// BatchGetItem or Scan.
var asSame = cmp.Options{
	cmpopts.IgnoreUnexported(fault{}),
	cmpopts.IgnoreTypes(middleware.Metadata{}, document.NoSerde{}),
	cmpopts.SortSlices(func(a, b string) bool { return a < b }),
	cmpopts.SortSlices(func(a, b []byte) bool { return bytes.Compare(a, b) < 0 }),
	cmp.FilterPath(unordered, cmpopts.SortSlices(func(a, b item) bool { return shown(a) < shown(b) })),
}

func unordered(path cmp.Path) bool {
	for _, step := range path {
		switch step.Type() {
		case reflect.TypeFor[*api.BatchGetItemOutput](), reflect.TypeFor[*api.ScanOutput]():
			return true
		}
	}
	return false
}

// verdict is the comparison of both sides' answers to a request.
type verdict struct {
	// difference describes the difference, for a reader; empty if there is none.
	difference string
	// apart is set if the emulator carried out a write that it should have refused: from then on, the two tables
	// differ.
	apart bool
	fault fault // the simulator's
}

// ask makes a request; it reads a Query to its end.
func ask(ctx context.Context, c *api.Client, in any) outcome {
	if in, ok := in.(*api.QueryInput); ok {
		return follow(ctx, c, in)
	}
	return call(ctx, c, in)
}

// both makes the request on both sides. A difference that is on the list does not count.
func (p pair) both(ctx context.Context, in any) verdict {
	ours, theirs := ask(ctx, p.simulator, in), ask(ctx, p.emulator, in)
	normalise(in, ours, theirs)
	diff := cmp.Diff(theirs, ours, asSame)
	switch {
	case diff == "":
		return verdict{fault: ours.Fault}
	case known(ours, theirs):
		return verdict{apart: writes(in) && theirs.Fault.Code == "", fault: ours.Fault}
	}
	return verdict{difference: fmt.Sprintf("%s\nsimulator: %s\nemulator: %s\n(-emulator +simulator)\n%s", shownRequest(in), ours.Fault.text, theirs.Fault.text, diff)}
}

// contents compares all items of the table and of each index. The order of a Scan does not count.
func (p pair) contents(ctx context.Context) string {
	scans := []*api.ScanInput{{TableName: &p.definition.Name}}
	for _, x := range p.definition.Indexes {
		scans = append(scans, &api.ScanInput{TableName: &p.definition.Name, IndexName: &x.Name})
	}
	for _, in := range scans {
		in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
		if v := p.both(ctx, in); v.difference != "" {
			return v.difference
		}
	}
	return ""
}

// shownRequest returns a request in the API's JSON, for reading it or trying it by hand.
func shownRequest(in any) string {
	members := map[string]any{}
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); v.Type().Field(i).IsExported() && !field.IsZero() {
			members[v.Type().Field(i).Name] = field.Interface()
		}
	}
	action := strings.TrimSuffix(v.Type().Name(), "Input")
	return action + " " + shown(plain(members))
}

func shown(v any) string {
	text, err := json.Marshal(plain(v))
	if err != nil {
		return err.Error()
	}
	if len(text) > 4000 {
		return string(text[:4000]) + "…"
	}
	return string(text)
}

// plain converts the SDK's values to values that encoding/json writes as the API does.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = plain(member)
		}
	case item:
		members := map[string]any{}
		for name, member := range v {
			members[name] = plain(member)
		}
		return members
	case map[string]types.KeysAndAttributes:
		tables := map[string]any{}
		for name, wanted := range v {
			tables[name] = map[string]any{
				"Keys": plain(wanted.Keys), "ConsistentRead": aws.ToBool(wanted.ConsistentRead),
				"ProjectionExpression": wanted.ProjectionExpression, "ExpressionAttributeNames": wanted.ExpressionAttributeNames,
			}
		}
		return tables
	case []item:
		return each(v, func(i item) any { return plain(i) })
	case *types.AttributeValueMemberL:
		return map[string]any{"L": each(v.Value, func(e types.AttributeValue) any { return plain(e) })}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": plain(v.Value)}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": slices.Sorted(slices.Values(v.Value))}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": slices.Sorted(slices.Values(v.Value))}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": slices.SortedFunc(slices.Values(v.Value), bytes.Compare)}
	case types.AttributeValue:
		name := strings.TrimPrefix(reflect.TypeOf(v).Elem().Name(), "AttributeValueMember")
		return map[string]any{name: reflect.ValueOf(v).Elem().FieldByName("Value").Interface()}
	}
	return v
}

func each[V any](values []V, do func(V) any) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = do(v)
	}
	return list
}
