package mailbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

type item = map[string]types.AttributeValue

// headItem is the counter of a mailbox.
type headItem struct {
	PK string `dynamodbav:"pk"` // kept#<user id>
	SK string `dynamodbav:"sk"` // head
	// Mailbox names the mailbox. A user's next one, once all of this has expired, has another name, and begins at 1.
	Mailbox string `dynamodbav:"mailbox"`
	Last    int64  `dynamodbav:"last"`   // the last number taken
	Bytes   int64  `dynamodbav:"bytes"`  // of all bodies whose numbers were taken
	At      int64  `dynamodbav:"at"`     // when Last was taken, in Unix milliseconds by its taker's clock
	Before  int64  `dynamodbav:"before"` // when the number before Last was taken; 0 if there is none
	TTL     int64  `dynamodbav:"ttl"`
}

// positionItem is a position: a message, or nothing.
type positionItem struct {
	PK      string `dynamodbav:"pk"` // kept#<user id>
	SK      string `dynamodbav:"sk"` // <mailbox>#<position, 16 digits>
	Nothing bool   `dynamodbav:"nothing,omitempty"`
	Gone    bool   `dynamodbav:"gone,omitempty"` // of nothing: a message may have stood there, and expired
	ID      string `dynamodbav:"id,omitempty"`
	SentAt  int64  `dynamodbav:"sentAt,omitempty"` // Unix milliseconds
	Body    string `dynamodbav:"body,omitempty"`
	Value   bool   `dynamodbav:"value,omitempty"`
	Expires int64  `dynamodbav:"expires,omitempty"` // Unix milliseconds
	// Bytes and Before are those of the head when the position's number was taken; of nothing, Before may be later.
	Bytes  int64 `dynamodbav:"bytes,omitempty"`
	Before int64 `dynamodbav:"before,omitempty"`
	TTL    int64 `dynamodbav:"ttl"`
}

const headKey = "head"

func partition(user heliograph.UserID) string { return "kept#" + string(user) }

func keyOf(user heliograph.UserID, sk string) item {
	return item{"pk": text(partition(user)), "sk": text(sk)}
}

// positionKey sorts the positions of a mailbox.
func positionKey(mailbox string, position int64) string {
	return fmt.Sprintf("%s#%016d", mailbox, position)
}

// position returns the position in a key.
func (i positionItem) position() int64 {
	_, digits, _ := strings.Cut(i.SK, "#")
	position, _ := strconv.ParseInt(digits, 10, 64) // the key condition admits no other
	return position
}

// cursorOf names a position to a client. It holds no secret and needs no seal: a reader's mailbox is that of its own token's
// user, and a cursor of another mailbox, user or stack is unknown there.
func cursorOf(mailbox string, position int64) string { return fmt.Sprintf("%s.%d", mailbox, position) }

// none is the mailbox in the cursor of a user for whom nothing is kept; in place of a position it has the time.
const none = "-"

// maxCursor is the longest cursor that is read.
const maxCursor = 64

// parseCursor reads a cursor, as far as it has our form.
func parseCursor(cursor string) (mailbox string, position int64, ok bool) {
	mailbox, digits, found := strings.Cut(cursor, ".")
	position, err := strconv.ParseInt(digits, 10, 64)
	return mailbox, position, found && err == nil && position >= 0 && len(cursor) <= maxCursor
}

// PositionOf returns the position that a cursor of Keep names.
func PositionOf(cursor string) int64 {
	_, position, _ := parseCursor(cursor)
	return position
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// after returns a time of DynamoDB's TTL.
func after(at time.Time, d time.Duration) int64 { return at.Add(d).Unix() + 1 }
