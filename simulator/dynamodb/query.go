package dynamodb

import (
	"strconv"
	"strings"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// QueryInput is the input of Query.
type QueryInput struct {
	TableName                 string
	IndexName                 *string
	KeyConditionExpression    *string
	FilterExpression          *string
	ProjectionExpression      *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attribute.Item
	ConsistentRead            bool
	ScanIndexForward          *bool
	Select                    string
	Limit                     *int
	ExclusiveStartKey         attribute.Item
	ReturnConsumedCapacity    string
}

// PageOutput is the output of Query and Scan.
type PageOutput struct {
	Items            *[]attribute.Item `json:",omitempty"` // absent if Select is COUNT
	Count            int
	ScannedCount     int
	LastEvaluatedKey attribute.Item    `json:",omitempty"`
	ConsumedCapacity *ConsumedCapacity `json:",omitempty"`
}

// query checks the members first, then the expressions, the table or index, and finally the conditions on its key; the
// first fault is the answer.
func (db *Database) query(in *QueryInput) (*PageOutput, error) {
	page := paging{
		filterText: in.FilterExpression, projectionText: in.ProjectionExpression, consistent: in.ConsistentRead,
		choice: in.Select, limit: in.Limit, start: in.ExclusiveStartKey, consumed: in.ReturnConsumedCapacity,
	}
	if err := page.check(in.TableName, "Value at 'Limit'"); err != nil {
		return nil, err
	}
	keys, err := in.read(&page)
	if err != nil {
		return nil, err
	}
	src, err := db.source(in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	if err := src.check(&page, true); err != nil {
		return nil, err
	}
	s, err := spanOf(src.schema, keys)
	if err != nil {
		return nil, err
	}
	return src.page(page, s, in.ScanIndexForward == nil || *in.ScanIndexForward)
}

// read parses the input's three expressions. They share one set of placeholders.
func (in *QueryInput) read(page *paging) ([]expression.KeyCondition, error) {
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	scope, err := placeholders(in.ExpressionAttributeNames, in.ExpressionAttributeValues, "", in.KeyConditionExpression)
	if err != nil {
		return nil, err
	}
	keys, err := scope.KeyConditions(*in.KeyConditionExpression)
	if err != nil {
		return nil, err
	}
	return keys, page.read(scope)
}

// ScanInput is the input of Scan.
type ScanInput struct {
	TableName                 string
	IndexName                 *string
	FilterExpression          *string
	ProjectionExpression      *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attribute.Item
	ConsistentRead            bool
	Select                    string
	Limit                     *int
	ExclusiveStartKey         attribute.Item
	ReturnConsumedCapacity    string
}

// scan is a Query without a key condition: it reads the zero span, always forwards.
func (db *Database) scan(in *ScanInput) (*PageOutput, error) {
	page := paging{
		filterText: in.FilterExpression, projectionText: in.ProjectionExpression, consistent: in.ConsistentRead,
		choice: in.Select, limit: in.Limit, start: in.ExclusiveStartKey, consumed: in.ReturnConsumedCapacity,
	}
	if err := page.check(in.TableName, "Value '%d' at 'limit'"); err != nil {
		return nil, err
	}
	scope, err := in.scope()
	if err != nil {
		return nil, err
	}
	if err := page.read(scope); err != nil {
		return nil, err
	}
	src, err := db.source(in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	if err := src.check(&page, false); err != nil {
		return nil, err
	}
	return src.page(page, span{}, true)
}

func (in *ScanInput) scope() (*expression.Scope, error) {
	return placeholders(in.ExpressionAttributeNames, in.ExpressionAttributeValues, "FilterExpression is null",
		in.FilterExpression, in.ProjectionExpression)
}

// paging holds the members that Query and Scan share.
type paging struct {
	filterText, projectionText *string
	consistent                 bool
	choice                     string // the member Select
	limit                      *int
	start                      attribute.Item
	consumed                   string

	filter     expression.Condition
	projection expression.Projection
}

// check validates the members that need no table. limit is AWS's name of the member Limit in errors, which differs
// between Query and Scan: only Scan's shows the value.
func (p *paging) check(table, limit string) error {
	var c constraints
	if c.table(table) {
		if p.limit != nil && *p.limit < 1 {
			named := strings.Replace(limit, "%d", strconv.Itoa(*p.limit), 1)
			c.failed("%s failed to satisfy constraint: Member must have value greater than or equal to 1", named)
		}
		c.oneOf("select", p.choice, "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
		c.returnConsumedCapacity(p.consumed)
	}
	if err := c.err(); err != nil {
		return err
	}
	return attribute.Check(p.start)
}

// read parses the filter and the projection, the last expressions of the request.
func (p *paging) read(scope *expression.Scope) (err error) {
	if p.filter, err = condition(scope, "FilterExpression", p.filterText); err != nil {
		return err
	}
	if p.projection, err = projection(scope, p.projectionText); err != nil {
		return err
	}
	switch {
	case p.choice == "SPECIFIC_ATTRIBUTES" && p.projection == nil:
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case p.choice != "" && p.choice != "SPECIFIC_ATTRIBUTES" && p.projection != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", p.choice)
	}
	return scope.Finish()
}
