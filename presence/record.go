package presence

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// Record is one change of one item, from the table's stream.
type Record struct {
	Keys map[string]types.AttributeValue
	// Old and New are the item before and after; New is nil if it was deleted.
	Old, New map[string]types.AttributeValue
	Created  time.Time // when the item was changed
	Expired  bool      // deleted by the table's time to live, not by one of our functions
}

// UnreadableError reports a record or an item that none of our functions wrote. A retry would fail the same way. Match
// it with errors.As.
type UnreadableError struct{ cause error }

func (e *UnreadableError) Error() string { return e.cause.Error() }
func (e *UnreadableError) Unwrap() error { return e.cause }

// Removed reports whether the item was deleted.
func (r Record) Removed() bool { return r.New == nil }

// Partition names the user who owns the item. Records of one partition must be handled in order.
func (r Record) Partition() string {
	pk, _ := r.keys()
	return pk
}

func (r Record) keys() (pk, sk string) {
	return stringOf(r.Keys["pk"]), stringOf(r.Keys["sk"])
}

// presence returns the user whose presence changed, if the record is of a presence item.
func (r Record) presence() (heliograph.UserID, bool) { return parsePresenceKey(r.keys()) }

// connection returns the connection that changed, if the record is of a connection.
func (r Record) connection() (heliograph.UserID, heliograph.ConnectionID, bool) {
	return parseConnectionKey(r.keys())
}

func stringOf(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func decodeConnection(i item) (Connection, error) {
	var c connectionItem
	if err := attributevalue.UnmarshalMap(i, &c); err != nil {
		return Connection{}, &UnreadableError{fmt.Errorf("decode connection: %w", err)}
	}
	return c.decode(), nil
}
