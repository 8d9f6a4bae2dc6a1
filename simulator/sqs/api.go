package sqs

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/wire"
)

// Inputs and outputs have the members of AWS's API that are supported here; wire refuses any other. The query tags are
// the names of flattened lists and maps in the query protocol.
type (
	empty struct{}

	queueURLInput struct {
		QueueURL string `json:"QueueUrl"`
	}

	queueURLOutput struct {
		QueueURL string `json:"QueueUrl"`
	}

	createQueueInput struct {
		QueueName  string
		Attributes map[string]string `query:"Attribute"`
	}

	getQueueURLInput struct {
		QueueName              string
		QueueOwnerAWSAccountID string `json:"QueueOwnerAWSAccountId"`
	}

	listQueuesInput struct {
		QueueNamePrefix string
		MaxResults      *int
		NextToken       string
	}

	listQueuesOutput struct {
		QueueURLs []string `json:"QueueUrls,omitempty" query:"QueueUrl"`
		NextToken string   `json:",omitempty"`
	}

	getQueueAttributesInput struct {
		QueueURL       string   `json:"QueueUrl"`
		AttributeNames []string `query:"AttributeName"`
	}

	getQueueAttributesOutput struct {
		Attributes map[string]string `json:",omitempty" query:"Attribute"`
	}

	setQueueAttributesInput struct {
		QueueURL   string            `json:"QueueUrl"`
		Attributes map[string]string `query:"Attribute"`
	}
)

// actions are the API's actions. A batch action needs the permission of its single-message counterpart; an action that
// AWS checks against no resource touches "*".
func (s *Server) actions() map[string]wire.Action {
	return map[string]wire.Action{
		"CreateQueue":        wire.Do(s.createQueue, func(in *createQueueInput) []string { return []string{s.arn(in.QueueName)} }),
		"GetQueueUrl":        wire.Do(s.getQueueURL, func(in *getQueueURLInput) []string { return []string{s.arn(in.QueueName)} }),
		"ListQueues":         wire.Do(s.listQueues, func(*listQueuesInput) []string { return []string{"*"} }),
		"GetQueueAttributes": wire.Do(s.getQueueAttributes, func(in *getQueueAttributesInput) []string { return s.touches(in.QueueURL) }),
		"SetQueueAttributes": wire.Do(s.setQueueAttributes, func(in *setQueueAttributesInput) []string { return s.touches(in.QueueURL) }),
		"DeleteQueue":        wire.Do(s.deleteQueue, func(in *queueURLInput) []string { return s.touches(in.QueueURL) }),
		"PurgeQueue":         wire.Do(s.purgeQueue, func(in *queueURLInput) []string { return s.touches(in.QueueURL) }),

		"SendMessage":             wire.Do(s.sendMessage, func(in *sendMessageInput) []string { return s.touches(in.QueueURL) }),
		"ReceiveMessage":          wire.Do(s.receiveMessage, func(in *receiveMessageInput) []string { return s.touches(in.QueueURL) }),
		"DeleteMessage":           wire.Do(s.deleteMessage, func(in *deleteMessageInput) []string { return s.touches(in.QueueURL) }),
		"ChangeMessageVisibility": wire.Do(s.changeMessageVisibility, func(in *changeMessageVisibilityInput) []string { return s.touches(in.QueueURL) }),

		"SendMessageBatch": wire.Do(s.sendMessageBatch,
			func(in *sendMessageBatchInput) []string { return s.touches(in.QueueURL) }).Needs("SendMessage"),
		"DeleteMessageBatch": wire.Do(s.deleteMessageBatch,
			func(in *deleteMessageBatchInput) []string { return s.touches(in.QueueURL) }).Needs("DeleteMessage"),
		"ChangeMessageVisibilityBatch": wire.Do(s.changeMessageVisibilityBatch,
			func(in *changeMessageVisibilityBatchInput) []string { return s.touches(in.QueueURL) }).Needs("ChangeMessageVisibility"),
	}
}

// queueName extracts the name from a queue URL, of any host: clients reach the simulator under different names.
func (s *Server) queueName(queueURL string) (string, bool) {
	u, err := url.Parse(queueURL)
	if err != nil {
		return "", false
	}
	name, ok := strings.CutPrefix(u.Path, "/"+s.options.Account+"/")
	return name, ok && isToken(name)
}

// touches is the ARN of the queue that a call names, for IAM; a URL that names none touches nothing and fails later.
func (s *Server) touches(queueURL string) []string {
	if name, ok := s.queueName(queueURL); ok {
		return []string{s.arn(name)}
	}
	return nil
}

// byURL returns the queue of a URL; the error is QueueDoesNotExist.
func (s *Server) byURL(queueURL string) (*Queue, error) {
	name, ok := s.queueName(queueURL)
	if !ok {
		return nil, errNoQueue()
	}
	return s.Queue(name)
}

// createQueue does not support tags: it refuses them rather than dropping them.
func (s *Server) createQueue(_ context.Context, in *createQueueInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, errMissing("QueueName")
	}
	q, err := s.Create(in.QueueName, in.Attributes)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{q.URL()}, nil
}

// getQueueURL finds only queues of this account; a queue of another account does not exist here.
func (s *Server) getQueueURL(_ context.Context, in *getQueueURLInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, errInvalid("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	}
	q, err := s.Queue(in.QueueName)
	if err != nil {
		return nil, err
	}
	if owner := in.QueueOwnerAWSAccountID; owner != "" && owner != s.options.Account {
		return nil, errNoQueue()
	}
	return &queueURLOutput{q.URL()}, nil
}

// listQueues pages only if MaxResults is set, as AWS does.
func (s *Server) listQueues(_ context.Context, in *listQueuesInput) (*listQueuesOutput, error) {
	page := 1000
	if in.MaxResults != nil {
		if page = *in.MaxResults; page < 1 || page > 1000 {
			return nil, errValue(page, "MaxResults", "MaxResults must be between 1 and 1000.")
		}
	}
	after, err := base64.URLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, errValue(in.NextToken, "NextToken", "Not a token of a page before.")
	}
	out := &listQueuesOutput{}
	last := ""
	for _, q := range s.Queues() {
		if !strings.HasPrefix(q.name, in.QueueNamePrefix) || q.name <= string(after) {
			continue
		}
		if len(out.QueueURLs) == page {
			if in.MaxResults != nil {
				out.NextToken = base64.URLEncoding.EncodeToString([]byte(last))
			}
			break
		}
		out.QueueURLs, last = append(out.QueueURLs, q.URL()), q.name
	}
	return out, nil
}

// getQueueAttributes returns the attributes requested by name; without names it returns none, as on AWS. A known
// attribute that the queue does not have is left out.
func (s *Server) getQueueAttributes(_ context.Context, in *getQueueAttributesInput) (*getQueueAttributesOutput, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	all, out := q.Attributes(), map[string]string{}
	for _, name := range in.AttributeNames {
		value, set := all[name]
		switch {
		case name == "All":
			return &getQueueAttributesOutput{all}, nil
		case set:
			out[name] = value
		case !slices.Contains(unsetAttributes, name):
			return nil, errAttributeName(name)
		}
	}
	return &getQueueAttributesOutput{out}, nil
}

// unsetAttributes are the attributes that a queue may lack.
var unsetAttributes = []string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"}

func (s *Server) setQueueAttributes(_ context.Context, in *setQueueAttributesInput) (*empty, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, errMissing("Attribute.Name")
	}
	return &empty{}, q.SetAttributes(in.Attributes)
}

func (s *Server) deleteQueue(_ context.Context, in *queueURLInput) (*empty, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return &empty{}, s.Delete(q.name)
}

func (s *Server) purgeQueue(_ context.Context, in *queueURLInput) (*empty, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return &empty{}, q.Purge()
}

// seconds converts a parameter to a duration; nil stays nil, which means the queue's own setting and not 0.
func seconds(n *int) *time.Duration {
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * time.Second
	return &d
}
