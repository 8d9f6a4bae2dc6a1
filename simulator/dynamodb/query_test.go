package dynamodb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// query returns a Query with a key condition.
func query(condition string, values item) *api.QueryInput {
	return &api.QueryInput{TableName: aws.String("things"), KeyConditionExpression: aws.String(condition), ExpressionAttributeValues: values}
}

// attr joins one attribute of some items as text.
func attr(items []item, name string) string {
	var texts []string
	for _, i := range items {
		switch v := i[name].(type) {
		case *types.AttributeValueMemberS:
			texts = append(texts, v.Value)
		case *types.AttributeValueMemberN:
			texts = append(texts, v.Value)
		default:
			texts = append(texts, "-")
		}
	}
	return strings.Join(texts, " ")
}

// ranked stores items p/0 to p/9 with ranks out of order, and a few items that no query here should return.
func ranked(t *testing.T) fixture {
	f := setUp(t)
	for i, rank := range []string{"-5", "100", "9", "10", "0", "0.5", "-50", "1e3", "-0.5", "10.0"} {
		f.put(t, with(key("p", fmt.Sprint(i)), item{"gpk": s("g"), "gsk": s(fmt.Sprintf("%c", 'z'-i)), "score": n(rank), "even": n(fmt.Sprint(i % 2))}))
	}
	f.put(t, with(key("q", "0"), item{"gpk": s("h"), "score": n("1")}), key("other", "5"), with(key("r", "1"), item{"gpk": s("g")}))
	return f
}

// TestQueryRanges proves every operator on range keys of each type, forwards and backwards, in the table and in an
// index.
func TestQueryRanges(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	tests := []struct{ index, condition, want string }{
		{"", "pk = :p", "0 1 2 3 4 5 6 7 8 9"},
		{"", "sk = :3 AND pk = :p", "3"},
		{"", "pk = :p AND sk < :3", "0 1 2"},
		{"", "pk = :p AND sk <= :3", "0 1 2 3"},
		{"", "pk = :p AND sk > :7", "8 9"},
		{"", "pk = :p AND :7 <= sk", "7 8 9"},
		{"", "pk = :p AND sk BETWEEN :3 AND :7", "3 4 5 6 7"},
		{"", "pk = :p AND begins_with(sk, :3)", "3"},
		{"", "pk = :p AND sk < :0", ""},
		{"", "pk = :0", ""},
		{"byscore", "gpk = :g", "6 0 8 4 5 2 3 9 1 7"},
		{"byscore", "gpk = :g AND score < :n", "6 0 8 4 5 2"},
		{"byscore", "gpk = :g AND score <= :n", "6 0 8 4 5 2 3 9"},
		{"byscore", "gpk = :g AND score = :n", "3 9"},
		{"byscore", "gpk = :g AND score > :n", "1 7"},
		{"byscore", "gpk = :g AND score BETWEEN :minus AND :n", "0 8 4 5 2 3 9"},
		{"gsi1", "gpk = :g AND gsk >= :x", "2 1 0"},
	}
	all := item{":p": s("p"), ":g": s("g"), ":0": s("0"), ":3": s("3"), ":7": s("7"), ":x": s("x"), ":n": n("10"), ":minus": n("-5.0")}
	for _, test := range tests {
		in := query(test.condition, item{})
		for name, v := range all {
			if strings.Contains(test.condition, name) {
				in.ExpressionAttributeValues[name] = v
			}
		}
		if test.index != "" {
			in.IndexName = aws.String(test.index)
		}
		for _, forward := range []bool{true, false} {
			in.ScanIndexForward = aws.Bool(forward)
			out, err := f.Query(t.Context(), in)
			if err != nil {
				t.Fatalf("%s: %v", test.condition, err)
			}
			want := test.want
			if !forward {
				want = reversed(want)
			}
			if got := attr(out.Items, "sk"); got != want {
				t.Errorf("%s, forward %v, gives %q, want %q", test.condition, forward, got, want)
			}
		}
	}
}

func reversed(list string) string {
	var back []string
	for _, word := range strings.Fields(list) {
		back = append([]string{word}, back...)
	}
	return strings.Join(back, " ")
}

// TestQueryProjections proves that an index returns the projected attributes, of the items that have its key.
func TestQueryProjections(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	in := query("gpk = :g AND gsk = :z", item{":g": s("g"), ":z": s("z")})
	in.IndexName = aws.String("gsi1")
	keysOnly := with(key("p", "0"), item{"gpk": s("g"), "gsk": s("z")})
	tests := []struct {
		choice     types.Select
		projection string
		want       []item
	}{
		{"", "", []item{keysOnly}},
		{"ALL_PROJECTED_ATTRIBUTES", "", []item{keysOnly}},
		{"COUNT", "", nil},
		{"SPECIFIC_ATTRIBUTES", "sk", []item{{"sk": s("0")}}},
		{"", "gsk, pk", []item{{"pk": s("p"), "gsk": s("z")}}},
	}
	for _, test := range tests {
		in.Select, in.ProjectionExpression = test.choice, nil
		if test.projection != "" {
			in.ProjectionExpression = aws.String(test.projection)
		}
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, out.Items, test.want)
		if out.Count != 1 || out.ScannedCount != 1 || (out.Items == nil) != (test.choice == "COUNT") {
			t.Errorf("%s %s: count %d, scanned %d, items %v", test.choice, test.projection, out.Count, out.ScannedCount, out.Items)
		}
	}
}

// TestIndexFollowsTable proves that an index follows each change of its table: new, moved, changed, narrowed and
// deleted entries.
func TestIndexFollowsTable(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	in := query("gpk = :g", item{":g": s("g")})
	in.IndexName = aws.String("byscore")
	expect := func(want ...item) {
		t.Helper()
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, out.Items, want)
	}
	update := func(expression string, values item) {
		t.Helper()
		if _, err := f.UpdateItem(t.Context(), change(expression, values)); err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, with(key("a", "1"), item{"gpk": s("g")}))
	expect()
	update("SET score = :r", item{":r": n("1")})
	expect(with(key("a", "1"), item{"gpk": s("g"), "score": n("1")}))
	update("SET score = :r, x = :r", item{":r": n("2")})
	expect(with(key("a", "1"), item{"gpk": s("g"), "score": n("2"), "x": n("2")}))
	update("SET gpk = :h", item{":h": s("h")})
	expect()
	update("SET gpk = :g", item{":g": s("g")})
	f.put(t, with(key("a", "2"), item{"gpk": s("g"), "score": n("2")})) // the same key of the index
	expect(with(key("a", "1"), item{"gpk": s("g"), "score": n("2"), "x": n("2")}), with(key("a", "2"), item{"gpk": s("g"), "score": n("2")}))
	update("REMOVE score", nil)
	expect(with(key("a", "2"), item{"gpk": s("g"), "score": n("2")}))
	if _, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("a", "2")}); err != nil {
		t.Fatal(err)
	}
	expect()
}

// TestQueryPages proves that a page ends at the limit, which counts items before the filter, and that the next one
// continues after it.
func TestQueryPages(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	in := query("pk = :p AND sk > :0", item{":p": s("p"), ":0": s("0"), ":one": n("1")})
	in.FilterExpression = aws.String("even = :one")
	in.Limit = aws.Int32(4)
	var pages []string
	for {
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, fmt.Sprintf("%s of %d", attr(out.Items, "sk"), out.ScannedCount))
		if out.LastEvaluatedKey == nil {
			break
		}
		same(t, out.LastEvaluatedKey, key("p", fmt.Sprint(4*len(pages))))
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	same(t, pages, []string{"1 3 of 4", "5 7 of 4", "9 of 1"})

	// At exactly the limit there may be more items; if there are not, the next page is empty.
	in = query("pk = :p AND sk > :7", item{":p": s("p"), ":7": s("7")})
	in.Limit = aws.Int32(2)
	out, err := f.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.LastEvaluatedKey, key("p", "9"))
	in.ExclusiveStartKey = out.LastEvaluatedKey
	if out, err = f.Query(t.Context(), in); err != nil || out.Count != 0 || out.LastEvaluatedKey != nil {
		t.Errorf("after the last item come %d more, and %v, %v", out.Count, out.LastEvaluatedKey, err)
	}
}

// TestIndexPages proves that an index continues from a key that consists of its own key and the table's, even if that
// item has been deleted meanwhile.
func TestIndexPages(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	in := query("gpk = :g AND score = :ten", item{":g": s("g"), ":ten": n("10")})
	in.IndexName, in.Limit = aws.String("byscore"), aws.Int32(1)
	out, err := f.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.LastEvaluatedKey, with(key("p", "3"), item{"gpk": s("g"), "score": n("10")}))
	if _, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("p", "3")}); err != nil {
		t.Fatal(err)
	}
	in.ExclusiveStartKey = out.LastEvaluatedKey
	if out, err = f.Query(t.Context(), in); err != nil || attr(out.Items, "sk") != "9" {
		t.Errorf("the second page is %v, %v", out, err)
	}
}

// TestQueryPagesAreBounded proves that a page ends before the item that would exceed 1 MB, and is billed for all that
// it read, however little the projection returns.
func TestQueryPagesAreBounded(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for i := range 5 {
		f.putBig(t, key("p", fmt.Sprint(i)))
	}
	in := query("pk = :p", item{":p": s("p")})
	in.ReturnConsumedCapacity, in.ConsistentRead, in.ProjectionExpression = "TOTAL", aws.Bool(true), aws.String("sk")
	var pages []string
	for p := api.NewQueryPaginator(f, in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, fmt.Sprintf("%s for %v", attr(page.Items, "sk"), *page.ConsumedCapacity.CapacityUnits))
	}
	// An item is 384 KB and 10 bytes; the total of a page is billed in steps of 4 KB.
	same(t, pages, []string{"0 1 for 193", "2 3 for 193", "4 for 97"})
}

// TestRefusedQueries proves that a Query with a fault is refused in AWS's words.
func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	const (
		missed   = "Query condition missed key schema element: "
		typ      = "One or more parameter values were invalid: Condition parameter type does not match schema type"
		outside  = "The provided starting key is outside query boundaries based on provided conditions"
		starting = "The provided starting key is invalid"
	)
	p, g := item{":p": s("p")}, item{":p": s("g")}
	tests := []struct {
		condition string
		values    item
		change    func(*api.QueryInput)
		want      string
	}{
		{"sk = :p", p, nil, missed + "pk"},
		{"pk = :p AND even = :p", p, nil, missed + "sk"},
		{"pk > :p", p, nil, "Query key condition not supported"},
		{"pk = :p AND pk = :p", p, nil, "KeyConditionExpressions must only contain one condition per key"},
		{"pk = :p AND sk = :p AND even = :p", p, nil, "Conditions can be of length 1 or 2 only"},
		{"pk = :p", item{":p": n("1")}, nil, typ},
		{"pk = :p AND sk > :n", item{":p": s("p"), ":n": n("1")}, nil, typ},
		{"pk = :p", item{":p": s("")}, nil, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"pk = :p OR sk = :p", p, nil, "Invalid operator used in KeyConditionExpression: OR"},
		{"", p, nil, "Invalid KeyConditionExpression: The expression can not be empty;"},
		{"pk = :p", p, func(in *api.QueryInput) { in.KeyConditionExpression = nil }, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{"pk = :p", p, func(in *api.QueryInput) { in.FilterExpression = aws.String("sk = :p") }, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
		{"pk = :p", p, func(in *api.QueryInput) { in.FilterExpression = aws.String("even = :p OR NOT size(pk) IN (:p)") }, "Filter Expression can only contain non-primary key attributes: Primary key attribute: pk"},
		{"pk = :p", p, func(in *api.QueryInput) { in.FilterExpression = aws.String("name = :p") }, "Invalid FilterExpression: Attribute name is a reserved keyword; reserved keyword: name"},
		{"pk = :p", p, func(in *api.QueryInput) { in.Limit = aws.Int32(0) }, "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"pk = :p", p, func(in *api.QueryInput) { in.Select = "X" }, "1 validation error detected: Value 'X' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"},
		{"pk = :p", p, func(in *api.QueryInput) { in.Select = "SPECIFIC_ATTRIBUTES" }, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"},
		{"pk = :p", p, func(in *api.QueryInput) { in.Select, in.ProjectionExpression = "COUNT", aws.String("pk") }, "Cannot specify the ProjectionExpression when choosing to get COUNT"},
		{"pk = :p", p, func(in *api.QueryInput) { in.Select = "ALL_PROJECTED_ATTRIBUTES" }, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"},
		{"pk = :p", p, func(in *api.QueryInput) { in.ExclusiveStartKey = item{"pk": s("p")} }, starting},
		{"pk = :p", p, func(in *api.QueryInput) { in.ExclusiveStartKey = item{"pk": s("p"), "sk": n("1")} }, starting + ": The provided key element does not match the schema"},
		{"pk = :p", p, func(in *api.QueryInput) { in.ExclusiveStartKey = key("q", "0") }, outside},
		{"pk = :p AND sk < :five", item{":p": s("p"), ":five": s("5")}, func(in *api.QueryInput) { in.ExclusiveStartKey = key("p", "7") }, outside},
		{"gpk = :p", g, func(in *api.QueryInput) { in.IndexName = aws.String("nope") }, "The table does not have the specified index: nope"},
		{"gpk = :p", g, func(in *api.QueryInput) { in.IndexName, in.ConsistentRead = aws.String("gsi1"), aws.Bool(true) }, "Consistent reads are not supported on global secondary indexes"},
		{"gpk = :p", g, func(in *api.QueryInput) { in.IndexName, in.Select = aws.String("gsi1"), "ALL_ATTRIBUTES" }, "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index gsi1 because its projection type is not ALL"},
		{"gpk = :p", g, func(in *api.QueryInput) {
			in.IndexName, in.ProjectionExpression = aws.String("gsi1"), aws.String("pk, even, x.y")
		}, "One or more parameter values were invalid: Global secondary index gsi1 does not project [even, x]"},
		{"gpk = :p", g, func(in *api.QueryInput) { in.IndexName, in.ExclusiveStartKey = aws.String("gsi1"), key("p", "0") }, starting},
		{"pk = :p", p, func(in *api.QueryInput) { in.IndexName = aws.String("gsi1") }, missed + "gpk"},
	}
	for _, test := range tests {
		in := query(test.condition, test.values)
		if test.change != nil {
			test.change(in)
		}
		_, err := f.Query(t.Context(), in)
		refused(t, err, "ValidationException", test.want)
	}
	in := query("pk = :p", p)
	in.TableName = aws.String("nothing")
	_, err := f.Query(t.Context(), in)
	refused(t, err, "ResourceNotFoundException", "Requested resource not found")
	in = query("pk = :p", p)
	in.QueryFilter = map[string]types.Condition{}
	_, err = f.Query(t.Context(), in)
	refused(t, err, "ValidationException", "not supported here: QueryFilter")
}

// TestScan proves that a Scan returns everything once, page by page, whatever the order of the hash keys.
func TestScan(t *testing.T) {
	t.Parallel()
	f := ranked(t)
	in := &api.ScanInput{TableName: aws.String("things"), Limit: aws.Int32(4)}
	seen := map[string]bool{}
	for pages := api.NewScanPaginator(f, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			at := attr([]item{i}, "pk") + "/" + attr([]item{i}, "sk")
			if seen[at] {
				t.Errorf("%s comes twice", at)
			}
			seen[at] = true
		}
	}
	if len(seen) != f.table.Len() {
		t.Errorf("%d items, want %d", len(seen), f.table.Len())
	}
	filtered, err := f.Scan(t.Context(), &api.ScanInput{
		TableName: aws.String("things"), IndexName: aws.String("byscore"), FilterExpression: aws.String("pk = :q"),
		ExpressionAttributeValues: item{":q": s("q")}, ProjectionExpression: aws.String("sk"),
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, filtered.Items, []item{{"sk": s("0")}})
	if filtered.Count != 1 || filtered.ScannedCount != 11 {
		t.Errorf("count %d of %d, want 1 of 11", filtered.Count, filtered.ScannedCount)
	}
}

// TestRefusedScans proves that a Scan with a fault is refused in AWS's words.
func TestRefusedScans(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	tests := []struct {
		in   api.ScanInput
		code string
		want string
	}{
		{api.ScanInput{TableName: aws.String("nothing")}, "ResourceNotFoundException", "Requested resource not found"},
		{api.ScanInput{TableName: aws.String("things"), Limit: aws.Int32(0)}, "ValidationException", "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{api.ScanInput{TableName: aws.String("things"), Limit: aws.Int32(-1)}, "ValidationException", "1 validation error detected: Value '-1' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{api.ScanInput{TableName: aws.String("things"), IndexName: aws.String("gsi1"), ConsistentRead: aws.Bool(true)}, "ValidationException", "Consistent reads are not supported on global secondary indexes"},
		{api.ScanInput{TableName: aws.String("things"), ExpressionAttributeValues: item{":v": n("1")}}, "ValidationException", "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null"},
		{api.ScanInput{TableName: aws.String("things"), FilterExpression: aws.String("x = :v")}, "ValidationException", "Invalid FilterExpression: An expression attribute value used in expression is not defined; attribute value: :v"},
		{api.ScanInput{TableName: aws.String("things"), Segment: aws.Int32(0), TotalSegments: aws.Int32(2)}, "ValidationException", "not supported here: Segment"},
	}
	for _, test := range tests {
		_, err := f.Scan(t.Context(), &test.in)
		refused(t, err, test.code, test.want)
	}
}
