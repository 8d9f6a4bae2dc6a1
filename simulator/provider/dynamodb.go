package provider

import (
	"errors"

	"heliograph/simulator/dynamodb"
)

type tableInputs struct {
	tagged
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

func createTable(p *provider, _ declaration, in tableInputs) (created, error) {
	if in.StreamEnabled != (in.StreamViewType != "") {
		return created{}, errors.New("streamEnabled and streamViewType go together")
	}
	table, err := p.Tables.CreateTable(in.definition())
	if err != nil {
		return created{}, err
	}
	computed := map[string]any{"arn": table.ARN()}
	if stream := table.Stream(); stream != nil {
		computed["streamArn"], computed["streamLabel"] = stream.ARN(), stream.Label()
	}
	return created{in.Name, computed}, nil
}
