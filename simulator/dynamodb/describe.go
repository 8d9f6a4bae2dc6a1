package dynamodb

import (
	"errors"
	"slices"

	"heliograph/simulator/wire"
)

// maxListed is the maximum number of names in one answer of ListTables.
const maxListed = 100

// DescribeTableInput is the input of DescribeTable.
type DescribeTableInput struct{ TableName string }

// DescribeTableOutput is the output of DescribeTable.
type DescribeTableOutput struct{ Table TableDescription }

// TableDescription is a table as DescribeTable shows it.
type TableDescription struct {
	TableName, TableArn, TableId, TableStatus string
	CreationDateTime                          float64 // Unix seconds
	AttributeDefinitions                      []attributeDefinition
	KeySchema                                 []keyElement
	BillingModeSummary                        billingMode
	ProvisionedThroughput                     throughput
	TableSizeBytes, ItemCount                 int
	GlobalSecondaryIndexes                    []indexDescription   `json:",omitempty"`
	StreamSpecification                       *streamSpecification `json:",omitempty"`
	LatestStreamArn                           string               `json:",omitempty"`
	LatestStreamLabel                         string               `json:",omitempty"`
	SSEDescription                            *sseDescription      `json:",omitempty"`
	DeletionProtectionEnabled                 bool
}

type (
	attributeDefinition struct{ AttributeName, AttributeType string }
	keyElement          struct{ AttributeName, KeyType string }
	billingMode         struct{ BillingMode string }
	throughput          struct{ NumberOfDecreasesToday, ReadCapacityUnits, WriteCapacityUnits int }
	streamSpecification struct {
		StreamEnabled  bool
		StreamViewType string
	}
	sseDescription struct{ SSEType, Status string }
	projectionType struct {
		ProjectionType   string
		NonKeyAttributes []string `json:",omitempty"`
	}
	indexDescription struct {
		IndexName, IndexArn, IndexStatus string
		KeySchema                        []keyElement
		Projection                       projectionType
		ProvisionedThroughput            throughput
		IndexSizeBytes, ItemCount        int
	}
)

// describable finds a table like lookup, but with the error of AWS's Describe actions, which names the missing table.
func (db *Database) describable(name string) (*Table, error) {
	var c constraints
	c.table(name)
	if err := c.err(); err != nil {
		return nil, err
	}
	t, err := db.lookup(name)
	if missing, ok := errors.AsType[*wire.Error](err); ok && missing.Code == "ResourceNotFoundException" {
		err = notFound("%s: Table: %s not found", missing.Message, name)
	}
	return t, err
}

func (db *Database) describeTable(in *DescribeTableInput) (*DescribeTableOutput, error) {
	t, err := db.describable(in.TableName)
	if err != nil {
		return nil, err
	}
	return &DescribeTableOutput{t.describe()}, nil
}

// describe returns the table as it is now, with its current sizes and counts.
func (t *Table) describe() TableDescription {
	t.mu.RLock()
	defer t.mu.RUnlock()
	d := TableDescription{
		TableName: t.def.Name, TableArn: t.ARN(), TableId: t.id(), TableStatus: "ACTIVE",
		CreationDateTime: float64(t.created.UnixMilli()) / 1e3, KeySchema: t.schema.elements(),
		BillingModeSummary: billingMode{t.def.BillingMode}, TableSizeBytes: t.bytes, ItemCount: t.rows.Len(),
		DeletionProtectionEnabled: t.def.DeletionProtection,
	}
	for _, a := range t.def.Attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, attributeDefinition{a.Name, a.Type})
	}
	for _, x := range t.indexes {
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, x.describe(t))
	}
	if t.stream != nil {
		d.StreamSpecification = &streamSpecification{true, t.stream.ViewType()}
		d.LatestStreamArn, d.LatestStreamLabel = t.stream.ARN(), t.stream.Label()
	}
	if t.def.Encrypted {
		d.SSEDescription = &sseDescription{"KMS", "ENABLED"}
	}
	return d
}

func (s schema) elements() []keyElement {
	elements := []keyElement{{s.hash.name, "HASH"}}
	if s.rng.name != "" {
		elements = append(elements, keyElement{s.rng.name, "RANGE"})
	}
	return elements
}

func (x *index) describe(t *Table) indexDescription {
	return indexDescription{
		IndexName: x.def.Name, IndexArn: t.IndexARN(x.def.Name), IndexStatus: "ACTIVE", KeySchema: x.schema.elements(),
		Projection: projectionType{x.def.Projection, x.def.NonKeyAttributes}, IndexSizeBytes: x.bytes, ItemCount: x.rows.Len(),
	}
}

// DescribeTimeToLiveInput is the input of DescribeTimeToLive.
type DescribeTimeToLiveInput struct{ TableName string }

// DescribeTimeToLiveOutput is the output of DescribeTimeToLive.
type DescribeTimeToLiveOutput struct {
	TimeToLiveDescription struct {
		TimeToLiveStatus string
		AttributeName    string `json:",omitempty"`
	}
}

func (db *Database) describeTimeToLive(in *DescribeTimeToLiveInput) (*DescribeTimeToLiveOutput, error) {
	t, err := db.describable(in.TableName)
	if err != nil {
		return nil, err
	}
	out := &DescribeTimeToLiveOutput{}
	out.TimeToLiveDescription.TimeToLiveStatus = "DISABLED"
	if t.def.TTLAttribute != "" {
		out.TimeToLiveDescription.TimeToLiveStatus = "ENABLED"
		out.TimeToLiveDescription.AttributeName = t.def.TTLAttribute
	}
	return out, nil
}

// ListTablesInput is the input of ListTables.
type ListTablesInput struct {
	ExclusiveStartTableName *string
	Limit                   *int
}

// ListTablesOutput is the output of ListTables.
type ListTablesOutput struct {
	TableNames             []string
	LastEvaluatedTableName string `json:",omitempty"`
}

// listTables continues after a name rather than a position, so that tables may come and go between pages.
func (db *Database) listTables(in *ListTablesInput) (*ListTablesOutput, error) {
	limit := maxListed
	if in.Limit != nil {
		limit = *in.Limit
	}
	var c constraints
	if in.ExclusiveStartTableName != nil {
		c.startTable(*in.ExclusiveStartTableName)
	}
	if limit < 1 {
		c.failed("Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", limit)
	}
	if limit > maxListed {
		c.failed("Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", limit, maxListed)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	names := []string{}
	for _, t := range db.Tables() {
		if in.ExclusiveStartTableName == nil || t.Name() > *in.ExclusiveStartTableName {
			names = append(names, t.Name())
		}
	}
	out := &ListTablesOutput{TableNames: names}
	if len(names) > limit {
		out.TableNames = slices.Clone(names[:limit])
		out.LastEvaluatedTableName = names[limit-1]
	}
	return out, nil
}
