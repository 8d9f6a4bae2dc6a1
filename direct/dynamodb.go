package direct

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/observability"
)

// DynamoDB is the SDK's client, except that it makes plain queries of a partition by itself.
type DynamoDB struct {
	*dynamodb.Client
	client
	url *url.URL
}

// NewDynamoDB returns a client for the endpoint that the SDK finds.
func NewDynamoDB(ctx context.Context, cfg aws.Config) (*DynamoDB, error) {
	d := &DynamoDB{Client: dynamodb.NewFromConfig(cfg), client: newClient(cfg, dynamodb.ServiceID, "dynamodb")}
	o := d.Options()
	endpoint, err := o.EndpointResolverV2.ResolveEndpoint(ctx, dynamodb.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
	if err != nil {
		return nil, fmt.Errorf("find DynamoDB's endpoint: %w", err)
	}
	d.url = &endpoint.URI
	if d.url.Path == "" {
		d.url.Path = "/"
	}
	return d, nil
}

// query is the input of a plain query.
type query struct {
	ConsistentRead            *bool             `json:",omitempty"`
	ExclusiveStartKey         map[string]value  `json:",omitempty"`
	ExpressionAttributeNames  map[string]string `json:",omitempty"`
	ExpressionAttributeValues map[string]value  `json:",omitempty"`
	KeyConditionExpression    *string           `json:",omitempty"`
	TableName                 *string
}

// page is the output of a plain query.
type page struct {
	Items            []map[string]value
	LastEvaluatedKey map[string]value
}

// Query is the SDK's. A query with options, or with anything else that a plain query lacks, is left to the SDK.
func (d *DynamoDB) Query(ctx context.Context, in *dynamodb.QueryInput, options ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	plain, ok := plainQuery(in)
	if !ok {
		return d.Client.Query(ctx, in, options...)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plain); err != nil {
		return nil, err
	}
	answer, err := d.do(ctx, &call{
		operation: "Query", url: d.url, body: bytes.TrimSpace(body.Bytes()), check: checksum,
		refusal: refusedQuery,
		header:  http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.Query"}, "Accept-Encoding": {"identity"}},
		about:   observability.About{Key: "table_name", Value: aws.ToString(in.TableName)},
	})
	if err != nil {
		return nil, err
	}
	out, err := readPage(answer)
	if errors.Is(err, errOther) {
		return d.Client.Query(ctx, in, options...)
	}
	return out, err
}

func refusedQuery(code, message string) error {
	switch code {
	case "InternalServerError":
		return &types.InternalServerError{Message: &message}
	case "ProvisionedThroughputExceededException":
		return &types.ProvisionedThroughputExceededException{Message: &message}
	case "RequestLimitExceeded":
		return &types.RequestLimitExceeded{Message: &message}
	case "ResourceNotFoundException":
		return &types.ResourceNotFoundException{Message: &message}
	case "ThrottlingException":
		return &types.ThrottlingException{Message: &message}
	}
	return nil
}

func readPage(answer []byte) (out *dynamodb.QueryOutput, err error) {
	var p page
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, fmt.Errorf("decode the answer to Query: %w", err)
	}
	out = &dynamodb.QueryOutput{Items: make([]map[string]types.AttributeValue, len(p.Items)), Count: int32(len(p.Items))}
	for i, item := range p.Items {
		if out.Items[i], err = attributes(item); err != nil {
			return nil, err
		}
	}
	out.LastEvaluatedKey, err = attributes(p.LastEvaluatedKey)
	return out, err
}

// checksum compares an answer with the checksum that DynamoDB sends along.
func checksum(response *http.Response, body []byte) error {
	want := response.Header.Get("X-Amz-Crc32")
	if got := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10); want != "" && got != want {
		return fmt.Errorf("the answer's checksum is %s, announced was %s", got, want)
	}
	return nil
}

// plainQuery returns a query if it has only what a plain one has: a key condition on strings and a start.
func plainQuery(in *dynamodb.QueryInput) (plain query, ok bool) {
	values, okValues := texts(in.ExpressionAttributeValues)
	start, okStart := texts(in.ExclusiveStartKey)
	rest := *in
	rest.TableName, rest.ConsistentRead, rest.KeyConditionExpression = nil, nil, nil
	rest.ExpressionAttributeNames, rest.ExpressionAttributeValues, rest.ExclusiveStartKey = nil, nil, nil
	plain = query{
		in.ConsistentRead, start, in.ExpressionAttributeNames, values, in.KeyConditionExpression, in.TableName,
	}
	return plain, okValues && okStart && reflect.ValueOf(rest).IsZero()
}
