package differential_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// difference is something that the emulator does and AWS does not.
type difference struct {
	what string
	// source is the evidence for AWS's behaviour. "dynalite" is github.com/architect/dynalite, whose tests were written
	// against the real service; "alternator" is the folder test/alternator of github.com/scylladb/scylladb, whose tests
	// are run against it.
	source string
	// refusal matches the text with which the simulator refuses a request that the emulator accepts. Without one, the
	// generators avoid such requests.
	refusal *regexp.Regexp
	// of is the index in definitions of the table that the example needs; given are the items in it.
	of      int
	given   []item
	example any
}

var table = aws.String("things")

// stored is an item for the first of the definitions.
var stored = item{"pk": s("p"), "sk": s("a"), "n": n("1"), "gpk": s("p"), "gsk": s("1")}

// never is a condition that does not hold. The emulator evaluates it before other checks.
var never = aws.String("attribute_exists(nope)")

var differences = []difference{
	{
		what:    "operands are looked at when an expression is evaluated, and so not at those that do not matter any more",
		source:  "dynalite, test/query.js, test/scan.js and test/deleteItem.js: Incorrect operand type, must be distinct, same data type",
		refusal: regexp.MustCompile(`^Invalid (Condition|Filter|KeyCondition)Expression: (The first operand must be distinct|The BETWEEN operator requires|Incorrect operand type|The function is not allowed|Invalid attribute type name|An expression attribute value used in expression is not defined)`),
		example: &api.PutItemInput{TableName: table, Item: stored, ConditionExpression: aws.String("begins_with(:n, :s)"), ExpressionAttributeValues: item{":n": n("1"), ":s": s("a")}},
	},
	{
		what:    "placeholders are looked at after the condition",
		source:  "dynalite, test/putItem.js and test/deleteItem.js: contains invalid key, contains invalid value",
		refusal: regexp.MustCompile(`^ExpressionAttribute(Names|Values) contains invalid (key|value): `),
		example: &api.PutItemInput{TableName: table, Item: stored, ConditionExpression: never, ExpressionAttributeNames: map[string]string{"#a-b": "x"}},
	},
	{
		what:    "unused placeholders are looked for after the condition",
		source:  "dynalite, test/updateItem.js and test/getItem.js: unused in expressions",
		refusal: regexp.MustCompile(`^Value provided in ExpressionAttribute(Names|Values) unused in expressions`),
		example: &api.PutItemInput{TableName: table, Item: stored, ConditionExpression: never, ExpressionAttributeNames: map[string]string{"#unused": "x"}},
	},
	{
		what:    "REMOVE takes a path through what is not there",
		source:  "alternator, test_update_expression.py: test_nested_attribute_update_bad_path_dot",
		refusal: regexp.MustCompile(`^The document path provided in the update expression is invalid for update$`),
		given:   []item{stored},
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("REMOVE x.y")},
	},
	{
		what:    "paths lead into keys",
		source:  "dynalite, test/getItem.js, test/query.js and test/updateItem.js: Key attributes must be scalars",
		refusal: regexp.MustCompile(`^Key attributes must be scalars`),
		example: &api.GetItemInput{TableName: table, Key: key("p", "a"), ProjectionExpression: aws.String("pk.x")},
	},
	{
		what:    "an attribute may have no name",
		source:  "Supported data types and naming rules, DynamoDB developer guide: at least one character",
		refusal: regexp.MustCompile(`Empty attribute name`),
		example: &api.PutItemInput{TableName: table, Item: item{"pk": s("p"), "sk": s("a"), "": s("x")}},
	},
	{
		what:    "a Query goes on from where it never was",
		source:  "dynalite, test/query.js: outside query boundaries",
		refusal: regexp.MustCompile(`^The provided starting key is outside query boundaries`),
		example: &api.QueryInput{TableName: table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": s("p")}, ExclusiveStartKey: key("q", "a")},
	},
	{
		what:    "a projection asks an index for what it does not have",
		source:  "Query, ProjectionExpression and Select, DynamoDB API reference: only attributes that are projected into the index",
		refusal: regexp.MustCompile(`Global secondary index .* does not project`),
		example: &api.QueryInput{TableName: table, IndexName: aws.String("gsi1"), KeyConditionExpression: aws.String("gpk = :p"), ExpressionAttributeValues: item{":p": s("p")}, ProjectionExpression: aws.String("n")},
	},
	{
		what:    "whether an update changes a key is looked at after the condition",
		source:  "dynalite, test/updateItem.js and actions/updateItem.js: This attribute is part of the key",
		refusal: regexp.MustCompile(`Cannot update attribute .* This attribute is part of the key`),
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("REMOVE sk"), ConditionExpression: never},
	},
	{
		what:    "one path goes on by name and by index",
		source:  "dynalite, test/getItem.js and test/updateItem.js: Two document paths conflict",
		refusal: regexp.MustCompile(`^Invalid (Projection|Update)Expression: Two document paths`),
		example: &api.GetItemInput{TableName: table, Key: key("p", "a"), ProjectionExpression: aws.String("m[0], m.x")},
	},
	{
		what:    "a name begins with an underscore and has no placeholder",
		source:  "alternator, test_update_expression.py: test_update_expression_name_token",
		refusal: regexp.MustCompile(`^Invalid [A-Za-z]+Expression: Syntax error; token: "_"`),
		example: &api.GetItemInput{TableName: table, Key: key("p", "a"), ProjectionExpression: aws.String("_x")},
	},
	{
		what:    "an expression is blank",
		source:  "dynalite, test/updateItem.js: The expression can not be empty",
		refusal: regexp.MustCompile(`^Invalid (Projection|Update)Expression: The expression can not be empty`),
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), UpdateExpression: aws.String(" ")},
	},
	{
		what:    "a key condition has a value of another type",
		source:  "dynalite, test/query.js: Condition parameter type does not match schema type",
		refusal: regexp.MustCompile(`Condition parameter type does not match schema type`),
		of:      2,
		example: &api.QueryInput{TableName: table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": s("p")}},
	},
	{
		what:    "a key condition has an empty value",
		source:  "Working with empty values, DynamoDB developer guide: no key attribute can be empty",
		refusal: regexp.MustCompile(`The AttributeValue for a key attribute cannot contain an empty`),
		example: &api.QueryInput{TableName: table, IndexName: aws.String("gsi1"), KeyConditionExpression: aws.String("gpk = :p"), ExpressionAttributeValues: item{":p": s("")}},
	},
	{
		what:    "taking away from an item that is not there makes it",
		source:  "alternator, test_item.py: test_update_item_non_existent; scylladb/scylladb issue 5862",
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("REMOVE n"), ReturnValues: "ALL_NEW"},
	},
	{
		what:    "the old attributes of an item that was not there are its key",
		source:  "UpdateItem, ReturnValues, DynamoDB API reference: as they appeared before the operation",
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), ReturnValues: "ALL_OLD"},
	},
	{
		what:   "a Query of a table without range key starts anew from ExclusiveStartKey, so it never ends with a Limit of 1",
		source: "Paginating table query results, DynamoDB developer guide", of: 2,
		given:   []item{{"pk": b("p")}},
		example: &api.QueryInput{TableName: table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": b("p")}, Limit: aws.Int32(1)},
	},
	{
		what:   "the order of key conditions matters where both are equalities",
		source: "Key condition expressions, DynamoDB developer guide: conditions are joined by AND", of: 1,
		example: &api.QueryInput{TableName: table, IndexName: aws.String("flip"), KeyConditionExpression: aws.String("pk = :p AND sk = :s"), ExpressionAttributeValues: item{":p": n("1"), ":s": b("a")}},
	},
	{
		what:    "begins_with does not tell capitals from small letters in keys",
		source:  "Key condition expressions, DynamoDB developer guide: the function is case-sensitive",
		given:   []item{key("p", "Z")},
		example: &api.QueryInput{TableName: table, KeyConditionExpression: aws.String("pk = :p AND begins_with(sk, :s)"), ExpressionAttributeValues: item{":p": s("p"), ":s": s("z")}},
	},
	{
		what:   "equal numbers are one key only if they are written the same",
		source: "dynalite, db/index.js, createKey: keys are compared by value", of: 1,
		example: &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"things": {Keys: []item{{"pk": n("1"), "sk": b("a")}, {"pk": n("1.0"), "sk": b("a")}}}}},
	},
	{
		what:    "equal numbers are one element of a set only if they are written the same",
		source:  "Data types, number, DynamoDB developer guide",
		given:   []item{{"pk": s("p"), "sk": s("a"), "numbers": ns("100", "1")}},
		example: &api.UpdateItemInput{TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("DELETE numbers :n"), ExpressionAttributeValues: item{":n": ns("1e2")}, ReturnValues: "ALL_NEW"},
	},
	{
		what:   "elements past the end of a list that were set give the whole list as the old attributes",
		source: "dynalite, db/index.js, mapPaths; UpdateItem, ReturnValues, DynamoDB API reference: only the updated attributes",
		given:  []item{{"pk": s("p"), "sk": s("a"), "l": l(n("1"))}},
		example: &api.UpdateItemInput{
			TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("SET l[5] = :n"), ExpressionAttributeValues: item{":n": n("2")}, ReturnValues: "UPDATED_OLD",
		},
	},
	{
		what:   "a new element past the end of a list leaves a gap of nulls",
		source: "Update expressions, DynamoDB developer guide: SET appends the new element at the end of the list",
		given:  []item{{"pk": s("p"), "sk": s("a"), "l": l()}},
		example: &api.UpdateItemInput{
			TableName: table, Key: key("p", "a"), UpdateExpression: aws.String("SET l[1] = :n"), ExpressionAttributeValues: item{":n": n("2")}, ReturnValues: "ALL_NEW",
		},
	},
	{
		what:    "an exponent may be larger than any number",
		source:  "Data types, number, DynamoDB developer guide: up to 9.99…E+125",
		example: &api.PutItemInput{TableName: table, Item: item{"pk": s("p"), "sk": s("a"), "n": n("1e99999999999999999999")}},
	},
	{
		what:    "key sizes of indexes don't matter to an item that lacks the index's other key",
		source:  "none found; the simulator is the stricter one",
		example: &api.PutItemInput{TableName: table, Item: item{"pk": s("p"), "sk": s("a"), "gsk": s(strings.Repeat("x", 1025))}},
	},
	{
		what:    "GetItem charges for what the projection picks only",
		source:  "GetItem, ReturnConsumedCapacity and Read consumption, DynamoDB developer guide: by the item's size, not by what is returned",
		given:   []item{sized("a", 5000)},
		example: &api.GetItemInput{TableName: table, Key: key("p", "a"), ProjectionExpression: aws.String("pk"), ReturnConsumedCapacity: "TOTAL"},
	},
	{
		what:   "ScannedCount counts the item that no longer fits a page of 1 MB",
		source: "Query, ScannedCount, DynamoDB API reference: without a filter the same as Count",
		given:  []item{sized("a", 400<<10), sized("b", 400<<10), sized("c", 400<<10)},
		example: &api.QueryInput{
			TableName: table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": s("p")}, Select: types.SelectCount,
		},
	},
	{
		what:    "a table's name may be too short",
		source:  "Supported data types and naming rules, DynamoDB developer guide: between 3 and 255 characters",
		example: &api.GetItemInput{TableName: aws.String("no"), Key: key("p", "a")},
	},
	{
		what:    "BatchGetItem takes any ReturnConsumedCapacity",
		source:  "dynalite, test/batchGetItem.js: Member must satisfy enum value set",
		example: &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"things": {Keys: []item{key("p", "a")}}}, ReturnConsumedCapacity: "ALL"},
	},
	{
		what:    "the name remove needs a placeholder in a projection",
		source:  "Reserved words in DynamoDB, DynamoDB developer guide: REMOVE is none",
		example: &api.GetItemInput{TableName: table, Key: key("p", "a"), ProjectionExpression: aws.String("remove")},
	},
}

func key(pk, sk string) item { return item{"pk": s(pk), "sk": s(sk)} }

// known reports whether the list explains how the two answers differ: the simulator refuses the request with a listed
// text, and the emulator accepts it or refuses it for something that AWS checks later.
func known(ours, theirs outcome) bool {
	const refused = "ValidationException"
	return ours.Fault.Code == refused && theirs.Fault.Code != refused &&
		slices.ContainsFunc(differences, func(d difference) bool { return d.refusal != nil && d.refusal.MatchString(ours.Fault.text) })
}

// normalise removes two peculiarities of the emulator from answers that the test still wants to compare. See "the old
// attributes of an item" and "the item that no longer fits".
func normalise(in any, ours, theirs outcome) {
	switch in := in.(type) {
	case *api.UpdateItemInput:
		for _, answer := range []outcome{ours, theirs} {
			out, ok := answer.Output.(*api.UpdateItemOutput)
			if ok && in.ReturnValues == "ALL_OLD" && cmp.Equal(out.Attributes, in.Key, asSame) {
				out.Attributes = nil
			}
		}
	case *api.QueryInput:
		pages, ok := theirs.Output.([]*api.QueryOutput)
		for _, page := range pages {
			if ok && in.FilterExpression == nil {
				page.ScannedCount = page.Count
			}
		}
	}
}

// TestDifferencesAreThere proves that each listed difference exists, with the listed refusal, and that no other one
// hides behind it.
func TestDifferencesAreThere(t *testing.T) {
	t.Parallel()
	for _, d := range differences {
		t.Run(d.what, func(t *testing.T) {
			t.Parallel()
			p := start(t).create(t, *table, definitions[d.of])
			for _, i := range d.given {
				if v := p.both(t.Context(), &api.PutItemInput{TableName: table, Item: i}); v.difference != "" || v.fault.Code != "" {
					t.Fatal(v.difference, v.fault)
				}
			}
			ours, theirs := ask(t.Context(), p.simulator, d.example), ask(t.Context(), p.emulator, d.example)
			if cmp.Equal(ours, theirs, asSame) {
				t.Errorf("the emulator does as the simulator: take it off the list, and let the generators make it")
			}
			if d.refusal != nil && (!d.refusal.MatchString(ours.Fault.text) || !known(ours, theirs)) {
				t.Errorf("the simulator says %q, the emulator %q", ours.Fault.text, theirs.Fault.text)
			}
		})
	}
}
