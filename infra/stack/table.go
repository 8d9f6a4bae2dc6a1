package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dynamodb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// leaseIndex is the table's index over leases and over online users.
const leaseIndex = "gsi1"

// table holds the stack's whole state: connections and presence.
type table struct {
	name, arn, indexARN, streamARN pulumi.StringOutput
}

// declareTable declares the table, its index and its stream. A single table lets one request read all of a user's
// items.
func declareTable(d *deployment) table {
	c := d.newComponent("Table", "state")
	defer c.complete()
	t := declare(c, "table", dynamodb.NewTable, &dynamodb.TableArgs{
		Name:        pulumi.String(d.physical("")),
		BillingMode: pulumi.String("PAY_PER_REQUEST"),
		HashKey:     pulumi.String("pk"),
		RangeKey:    pulumi.String("sk"),
		Attributes:  keyAttributes("pk", "sk", "gpk", "gsk"),
		GlobalSecondaryIndexes: dynamodb.TableGlobalSecondaryIndexArray{&dynamodb.TableGlobalSecondaryIndexArgs{
			Name:           pulumi.String(leaseIndex),
			HashKey:        pulumi.String("gpk"),
			RangeKey:       pulumi.String("gsk"),
			ProjectionType: pulumi.String("KEYS_ONLY"), // the cheapest to write, and sufficient for its readers
		}},
		Ttl:                       &dynamodb.TableTtlArgs{AttributeName: pulumi.String("ttl"), Enabled: pulumi.Bool(true)},
		StreamEnabled:             pulumi.Bool(true),
		StreamViewType:            pulumi.String("NEW_AND_OLD_IMAGES"),
		ServerSideEncryption:      &dynamodb.TableServerSideEncryptionArgs{Enabled: pulumi.Bool(true)},
		PointInTimeRecovery:       &dynamodb.TablePointInTimeRecoveryArgs{Enabled: pulumi.Bool(true)},
		DeletionProtectionEnabled: pulumi.Bool(d.config.Protect),
	}, d.guard(), pulumi.RetainOnDelete(d.config.Protect))
	return table{
		name:      t.Name,
		arn:       t.Arn,
		indexARN:  pulumi.Sprintf("%s/index/%s", t.Arn, leaseIndex),
		streamARN: t.StreamArn,
	}
}

// keyAttributes declares string attributes: DynamoDB demands the declaration of key attributes, and of no others.
func keyAttributes(names ...string) dynamodb.TableAttributeArray {
	var attributes dynamodb.TableAttributeArray
	for _, name := range names {
		attributes = append(attributes, &dynamodb.TableAttributeArgs{Name: pulumi.String(name), Type: pulumi.String("S")})
	}
	return attributes
}
