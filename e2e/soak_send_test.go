package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// soakMessage is a message that was sent, once or twice, and its recipients.
type soakMessage struct {
	message
	at time.Time // when it was sent first
	to *soakDevice
}

// isFor reports whether a device that was connected, and stays so, should get the message.
func (m *soakMessage) isFor(d *soakDevice) bool {
	return m.Broadcast || m.to == d || m.UserID == d.user || slices.Contains(m.UserIDs, d.user)
}

// send sends a message to a random target, addressed in a random way. Broadcasts are rare and have an Id: otherwise one
// duplicate delivery would reach all users twice and drown all other figures.
func (s *soak) send(ctx context.Context) {
	m := &soakMessage{}
	someone := func() string { return fmt.Sprint("user-", rand.IntN(20)) }
	switch dice := rand.IntN(200); {
	case dice == 0:
		m.Broadcast = true
	case dice < 30:
		for range 2 + rand.IntN(5) {
			m.UserIDs = append(m.UserIDs, someone())
		}
	case dice < 50:
		m.to = s.anyone()
		if m.to == nil || !s.findConnection(ctx, m) {
			return
		}
	default:
		m.UserID = someone()
	}
	s.mu.Lock()
	m.Body = fmt.Sprint("#", len(s.sent))
	if m.Broadcast || rand.IntN(3) == 0 {
		m.ID, m.Receipt = "id of "+m.Body, rand.IntN(2) == 0
	}
	m.at = time.Now()
	s.sent = append(s.sent, m)
	s.mu.Unlock()
	s.put(ctx, m)
	if m.ID != "" && rand.IntN(20) == 0 { // like a producer that is unsure whether its send succeeded
		s.put(ctx, m)
	}
}

// put puts a message on the queue. No rule of the storm affects producers.
func (s *soak) put(ctx context.Context, m *soakMessage) {
	text, _ := json.Marshal(m.message)
	_, err := s.load.queue.SendMessage(context.WithoutCancel(ctx), &sqs.SendMessageInput{
		QueueUrl: aws.String(s.load.endpoints.SendQueueURL), MessageBody: aws.String(string(text)),
	})
	if err != nil {
		panic(err)
	}
}

// anyone returns a random open device, nil if there is none.
func (s *soak) anyone() *soakDevice {
	if open := s.open(); len(open) > 0 {
		return open[rand.IntN(len(open))]
	}
	return nil
}

// findConnection fills in the id of a device's connection, found in the table by the user agent. A device that has just
// been closed has none.
func (s *soak) findConnection(ctx context.Context, m *soakMessage) bool {
	out, err := s.load.table.Query(context.WithoutCancel(ctx), &dynamodb.QueryInput{
		TableName: aws.String(s.load.endpoints.TableName), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :user AND begins_with(sk, :connection)"), FilterExpression: aws.String("userAgent = :name"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":user":       &types.AttributeValueMemberS{Value: "user#" + m.to.user},
			":connection": &types.AttributeValueMemberS{Value: "conn#"},
			":name":       &types.AttributeValueMemberS{Value: m.to.name},
		},
	})
	if err != nil {
		panic(err)
	}
	if len(out.Items) != 1 {
		return false
	}
	m.ConnectionID = strings.TrimPrefix(out.Items[0]["sk"].(*types.AttributeValueMemberS).Value, "conn#")
	return true
}
