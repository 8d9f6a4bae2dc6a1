package simulator

import (
	"errors"
	"slices"
	"strconv"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/iam"
	"heliograph/simulator/sns"
	"heliograph/simulator/ssm"
)

type tableInputs struct {
	Name        string `json:"name"`
	BillingMode string `json:"billingMode"`
	HashKey     string `json:"hashKey"`
	RangeKey    string `json:"rangeKey"`
	Attributes  []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"attributes"`
	GlobalSecondaryIndexes []struct {
		Name             string   `json:"name"`
		HashKey          string   `json:"hashKey"`
		RangeKey         string   `json:"rangeKey"`
		ProjectionType   string   `json:"projectionType"`
		NonKeyAttributes []string `json:"nonKeyAttributes"`
	} `json:"globalSecondaryIndexes"`
	TTL struct {
		AttributeName string `json:"attributeName"`
		Enabled       bool   `json:"enabled"`
	} `json:"ttl"`
	StreamEnabled        bool   `json:"streamEnabled"`
	StreamViewType       string `json:"streamViewType"`
	ServerSideEncryption struct {
		Enabled bool `json:"enabled"`
	} `json:"serverSideEncryption"`
	PointInTimeRecovery struct {
		Enabled bool `json:"enabled"`
	} `json:"pointInTimeRecovery"`
	DeletionProtectionEnabled bool `json:"deletionProtectionEnabled"`
}

func (in tableInputs) definition() dynamodb.Definition {
	def := dynamodb.Definition{
		Name: in.Name, HashKey: in.HashKey, RangeKey: in.RangeKey, BillingMode: in.BillingMode,
		Encrypted: in.ServerSideEncryption.Enabled, PointInTimeRecovery: in.PointInTimeRecovery.Enabled,
		DeletionProtection: in.DeletionProtectionEnabled,
	}
	for _, a := range in.Attributes {
		def.Attributes = append(def.Attributes, dynamodb.Attribute(a))
	}
	for _, x := range in.GlobalSecondaryIndexes {
		def.Indexes = append(def.Indexes, dynamodb.Index{
			Name: x.Name, HashKey: x.HashKey, RangeKey: x.RangeKey, Projection: x.ProjectionType, NonKeyAttributes: x.NonKeyAttributes,
		})
	}
	if in.TTL.Enabled {
		def.TTLAttribute = in.TTL.AttributeName
	}
	if in.StreamEnabled {
		def.StreamViewType = in.StreamViewType
	}
	return def
}

func createTable(c *cloud, _ declared, in tableInputs) (created, error) {
	if in.StreamEnabled != (in.StreamViewType != "") {
		return created{}, errors.New("streamEnabled and streamViewType go together")
	}
	table, err := c.tables.CreateTable(in.definition())
	if err != nil {
		return created{}, err
	}
	computed := map[string]any{"arn": table.ARN()}
	if stream := table.Stream(); stream != nil {
		computed["streamArn"], computed["streamLabel"] = stream.ARN(), stream.Label()
	}
	return created{in.Name, computed}, nil
}

type queueInputs struct {
	Name                     string `json:"name"`
	VisibilityTimeoutSeconds *int   `json:"visibilityTimeoutSeconds"`
	MessageRetentionSeconds  *int   `json:"messageRetentionSeconds"`
	DelaySeconds             *int   `json:"delaySeconds"`
	MaxMessageSize           *int   `json:"maxMessageSize"`
	ReceiveWaitTimeSeconds   *int   `json:"receiveWaitTimeSeconds"`
	SqsManagedSseEnabled     bool   `json:"sqsManagedSseEnabled"`
	RedrivePolicy            string `json:"redrivePolicy"`
	RedriveAllowPolicy       string `json:"redriveAllowPolicy"`
	Policy                   string `json:"policy"`
}

// attributes are the queue's attributes under SQS's own names; what is not set is SQS's default.
func (in queueInputs) attributes() map[string]string {
	attributes := map[string]string{"SqsManagedSseEnabled": strconv.FormatBool(in.SqsManagedSseEnabled)}
	for name, value := range map[string]*int{
		"VisibilityTimeout": in.VisibilityTimeoutSeconds, "MessageRetentionPeriod": in.MessageRetentionSeconds,
		"DelaySeconds": in.DelaySeconds, "MaximumMessageSize": in.MaxMessageSize,
		"ReceiveMessageWaitTimeSeconds": in.ReceiveWaitTimeSeconds,
	} {
		if value != nil {
			attributes[name] = strconv.Itoa(*value)
		}
	}
	for name, value := range map[string]string{
		"RedrivePolicy": in.RedrivePolicy, "RedriveAllowPolicy": in.RedriveAllowPolicy, "Policy": in.Policy,
	} {
		if value != "" {
			attributes[name] = value
		}
	}
	return attributes
}

func createQueue(c *cloud, _ declared, in queueInputs) (created, error) {
	c.naming.Lock() // SQS gives the queue that is there to whoever creates an equal one, and resources come side by side
	defer c.naming.Unlock()
	if _, err := c.queues.Queue(in.Name); err == nil {
		return created{}, errors.New("a queue of that name exists")
	}
	queue, err := c.queues.Create(in.Name, in.attributes())
	if err != nil {
		return created{}, err
	}
	return created{queue.URL(), map[string]any{"arn": queue.ARN(), "url": queue.URL()}}, nil
}

type topicInputs struct {
	Name           string `json:"name"`
	KMSMasterKeyID string `json:"kmsMasterKeyId"`
}

func createTopic(c *cloud, _ declared, in topicInputs) (created, error) {
	c.naming.Lock()
	defer c.naming.Unlock()
	attributes := map[string]string{}
	if in.KMSMasterKeyID != "" {
		attributes["KmsMasterKeyId"] = in.KMSMasterKeyID
	}
	if slices.Contains(c.topics.Topics(), sns.TopicARN(c.arn("sns", in.Name))) {
		return created{}, errors.New("a topic of that name exists")
	}
	arn, err := c.topics.CreateTopic(in.Name, attributes)
	if err != nil {
		return created{}, err
	}
	return created{string(arn), map[string]any{"arn": string(arn), "owner": c.account}}, nil
}

type parameterInputs struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"`
	Value       string `json:"value"`
}

func createParameter(c *cloud, _ declared, in parameterInputs) (created, error) {
	version, err := c.parameters.Put(ssm.Parameter{
		Name: in.Name, Type: ssm.Type(in.Type), Value: in.Value, Description: in.Description,
	}, false)
	if err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{"arn": c.parameters.ARN(in.Name), "version": float64(version)}}, nil
}

type roleInputs struct {
	Name             string `json:"name"`
	Description      string `json:"description"`
	AssumeRolePolicy string `json:"assumeRolePolicy"`
}

func createRole(c *cloud, _ declared, in roleInputs) (created, error) {
	name := iam.RoleName(in.Name)
	if err := c.roles.Create(name, in.AssumeRolePolicy); err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{
		"arn": c.roles.ARN(name), "uniqueId": iam.AccessKey(name), "path": "/", "maxSessionDuration": 3600.0,
	}}, nil
}

type rolePolicyInputs struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	Policy string `json:"policy"`
}

func createRolePolicy(c *cloud, _ declared, in rolePolicyInputs) (created, error) {
	err := c.roles.Attach(iam.RoleName(in.Role), in.Policy)
	return created{in.Role + ":" + in.Name, nil}, err
}

// roleExists is an error if a service can't assume a role.
func (c *cloud) roleExists(arn, service string) error {
	name := iam.NameOf(arn)
	if c.roles.ARN(name) != arn {
		return errors.New("role " + strconv.Quote(arn) + " is no role of this account")
	}
	return c.roles.MayBeAssumedBy(name, service)
}
