package presence

import (
	"time"

	"heliograph"
)

// connectionItem is a connection as the table keeps it. Times are epoch milliseconds, except where another system reads
// them: DynamoDB requires ttl in seconds, and tokens express their expiry in seconds.
type connectionItem struct {
	PK           string `dynamodbav:"pk"`
	SK           string `dynamodbav:"sk"`
	GPK          string `dynamodbav:"gpk"`
	GSK          string `dynamodbav:"gsk"`
	ConnectedAt  int64  `dynamodbav:"connectedAt"`
	TokenExpires int64  `dynamodbav:"tokenExpires,omitempty"`
	SourceIP     string `dynamodbav:"sourceIp,omitempty"`
	UserAgent    string `dynamodbav:"userAgent,omitempty"`
	V1           bool   `dynamodbav:"v1,omitempty"`
	LastActiveAt int64  `dynamodbav:"lastActiveAt,omitempty"`
	TTL          int64  `dynamodbav:"ttl"`
}

func encodeConnection(c Connection) connectionItem {
	return connectionItem{
		PK: userKey(c.User), SK: connectionKey(c.ID),
		GPK: leasePartition(shard(string(c.ID))), GSK: leaseKey(c.LeaseEnds, c.ID),
		ConnectedAt: millis(c.ConnectedAt), TokenExpires: seconds(c.TokenExpires),
		SourceIP: c.SourceIP, UserAgent: c.UserAgent, V1: c.V1,
		LastActiveAt: millis(c.LastActiveAt), TTL: seconds(c.Limit()),
	}
}

func (i connectionItem) decode() Connection {
	user, id, _ := parseConnectionKey(i.PK, i.SK)
	return Connection{
		User: user, ID: id,
		ConnectedAt: fromMillis(i.ConnectedAt), TokenExpires: fromSeconds(i.TokenExpires),
		SourceIP: i.SourceIP, UserAgent: i.UserAgent, V1: i.V1,
		LeaseEnds: leaseEnd(i.GSK), LastActiveAt: fromMillis(i.LastActiveAt),
	}
}

// presenceItem is the presence of a user as the table keeps it.
type presenceItem struct {
	PK  string `dynamodbav:"pk"`
	SK  string `dynamodbav:"sk"`
	GPK string `dynamodbav:"gpk,omitempty"` // only while online
	GSK string `dynamodbav:"gsk,omitempty"` // only while online

	Online bool  `dynamodbav:"online"`
	Epoch  int64 `dynamodbav:"epoch"` // raised by every connect, every change to offline, and by stayOnline

	// When the user last came or went: the one while online, the other while offline.
	OnlineSince  int64 `dynamodbav:"onlineSince,omitempty"`
	Connects     int64 `dynamodbav:"connects,omitempty"` // since that time
	OfflineSince int64 `dynamodbav:"offlineSince,omitempty"`
	LastActivity int64 `dynamodbav:"lastActivity,omitempty"` // of the last connection, as of the last change to offline

	// What was announced to other systems, see announce.go.
	Announced      bool  `dynamodbav:"announced,omitempty"`
	AnnouncedEpoch int64 `dynamodbav:"announcedEpoch,omitempty"`
	AnnouncedAt    int64 `dynamodbav:"announcedAt,omitempty"`
	Unpublished    bool  `dynamodbav:"unpublished,omitempty"`

	TTL int64 `dynamodbav:"ttl,omitempty"` // only while offline
}

// status is the item's status as of a time.
func (i presenceItem) status(user heliograph.UserID, now time.Time) Status {
	if i.Online {
		return Status{User: user, Online: true, LastActivity: now}
	}
	return Status{User: user, LastActivity: fromMillis(i.LastActivity), OfflineSince: fromMillis(i.OfflineSince)}
}

// The table has no "no time": a zero time is 0, which is left out.

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
