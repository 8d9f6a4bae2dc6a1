package observability

import "slices"

// The short names of Heliograph's functions, as they stand in the dimension Function.
const (
	announce   = "announce"
	authorizer = "authorizer"
	connect    = "connect"
	disconnect = "disconnect"
	online     = "online"
	send       = "send"
	sweep      = "sweep"
)

// everyFunction is for what the wrapper itself emits.
var everyFunction = []string{announce, authorizer, connect, disconnect, online, send, sweep}

// The wrapper's own metrics, one series per function.
var (
	// ColdStarts counts first invocations.
	ColdStarts = Metric{
		Name: "ColdStarts", Unit: Count, Kind: Counter, PerFunction: true, Functions: everyFunction,
		Meaning: "Invocations that were the first of their execution environment, and so waited for its start.",
	}
	// HandlerErrors counts failures that are ours. A handler adds to it only where it does not return the
	// error, since the wrapper counts those.
	HandlerErrors = Metric{
		Name: "HandlerErrors", Unit: Count, Kind: Counter, PerFunction: true, Functions: everyFunction,
		Meaning: "Invocations whose handler returned an error or panicked, and failures that a handler answered itself (a 500 of " +
			"`online`, a panic over one message in `send`). A function that is killed at its time-out can't count itself: " +
			"see Lambda's own Errors for those.",
	}
)

// Who may come in.
var (
	// TokensAccepted counts good tokens.
	TokensAccepted = Metric{
		Name: "TokensAccepted", Unit: Count, Kind: Counter, Functions: []string{authorizer},
		Meaning: "Tokens that named a user and were let in.",
	}
	// TokensRejected counts bad tokens.
	TokensRejected = Metric{
		Name: "TokensRejected", Unit: Count, Kind: Counter, Functions: []string{authorizer},
		Meaning: "Tokens, or requests without one, that were answered with a Deny policy (403). The property `reason` says why.",
	}
	// KeyRefreshFailures counts reads of the keys that failed while older ones were at hand.
	KeyRefreshFailures = Metric{
		Name: "KeyRefreshFailures", Unit: Count, Kind: Counter, Functions: []string{authorizer},
		Meaning: "Times that the secret or the published keys could not be read again. The last good ones stay in use: a rotation does not take effect.",
	}
)

// Who is there.
var (
	// ConnectionsOpened counts connections that were written.
	ConnectionsOpened = Metric{
		Name: "ConnectionsOpened", Unit: Count, Kind: Counter, Functions: []string{connect},
		Meaning: "Connections that were opened and recorded.",
	}
	// ConnectionsClosed counts connections that were deleted, on whichever path.
	ConnectionsClosed = Metric{
		Name: "ConnectionsClosed", Unit: Count, Kind: Counter, Functions: []string{announce, disconnect, send, sweep},
		Meaning: "Connections whose record was deleted: by `disconnect`, by `send` and `sweep` when the gateway says that " +
			"they are gone, by `announce` when the table's TTL removed them.",
	}
	// ConnectionsExpired counts connections that were closed because their token expired.
	ConnectionsExpired = Metric{
		Name: "ConnectionsExpired", Unit: Count, Kind: Counter, Functions: []string{sweep},
		Meaning: "Connections that `sweep` closed because their token had expired.",
	}
	// LeasesRenewed counts connections that were found alive at the end of their lease.
	LeasesRenewed = Metric{
		Name: "LeasesRenewed", Unit: Count, Kind: Counter, Functions: []string{sweep},
		Meaning: "Connections that were verified at the end of their lease and found alive.",
	}
	// SweepBacklog is what a run of sweep left for the next.
	SweepBacklog = Metric{
		Name: "SweepBacklog", Unit: Count, Kind: Gauge, Functions: []string{sweep},
		Meaning: "Connections whose lease had ended and that this run of `sweep` did not get to.",
	}
	// ActiveConnections is how many connections are open.
	ActiveConnections = Metric{
		Name: "ActiveConnections", Unit: Count, Kind: Gauge, Functions: []string{sweep},
		Meaning: "Connections that are open, counted once a minute.",
	}
	// OnlineUsers is how many users have at least one open connection.
	OnlineUsers = Metric{
		Name: "OnlineUsers", Unit: Count, Kind: Gauge, Functions: []string{sweep},
		Meaning: "Users who are online, counted once a minute.",
	}
	// OnlineQueries counts answered presence queries.
	OnlineQueries = Metric{
		Name: "OnlineQueries", Unit: Count, Kind: Counter, Functions: []string{online},
		Meaning: "Presence queries that were answered, each page on its own.",
	}
	// EventsPublished counts presence events.
	EventsPublished = Metric{
		Name: "EventsPublished", Unit: Count, Kind: Counter, Functions: []string{announce},
		Meaning: "Presence events that were published. The property `transition` says which way.",
	}
	// EventsHeldBack counts presence changes that nobody needed to hear of.
	EventsHeldBack = Metric{
		Name: "EventsHeldBack", Unit: Count, Kind: Counter, Functions: []string{announce},
		Meaning: "Presence changes that were not published: the user was back within the grace period, or a newer change overtook them.",
	}
)

// What was sent.
var (
	// MessagesReceived counts messages taken from the queue.
	MessagesReceived = Metric{
		Name: "MessagesReceived", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Messages that came from the queue, follow-ups included.",
	}
	// MessagesRejected counts messages that can never be delivered.
	MessagesRejected = Metric{
		Name: "MessagesRejected", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Messages that can never be delivered: malformed, without a target, or too large. They go to the dead-letter queue at once.",
	}
	// MessagesExpired counts messages past their ExpiresAt.
	MessagesExpired = Metric{
		Name: "MessagesExpired", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Messages that were dropped because their `ExpiresAt` had passed.",
	}
	// MessagesOffline counts messages that nobody was there for.
	MessagesOffline = Metric{
		Name: "MessagesOffline", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Messages that were dropped because none of those whom they name had an open connection.",
	}
	// DuplicatesDropped counts what idempotency kept from being delivered again.
	DuplicatesDropped = Metric{
		Name: "DuplicatesDropped", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Users, or connections addressed by their id, that were not sent a message again because they had one with the same `Id` " +
			"within `idempotencyWindow`.",
	}
	// BroadcastUsers is the progress of broadcasts.
	BroadcastUsers = Metric{
		Name: "BroadcastUsers", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Users whom broadcasts have gone through, whatever came of it. A broadcast is done when it has gone through all who are " +
			"online: compare with OnlineUsers.",
	}
	// ReceiptsPublished counts receipts.
	ReceiptsPublished = Metric{
		Name: "ReceiptsPublished", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Receipts (`MessageSettled`) that were published for messages that asked for one.",
	}
	// MessagesDeadLettered counts messages put on the dead-letter queue.
	MessagesDeadLettered = Metric{
		Name: "MessagesDeadLettered", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Messages that `send` put on the dead-letter queue, rejected ones and those out of attempts.",
	}
	// FollowUpsQueued counts second tries.
	FollowUpsQueued = Metric{
		Name: "FollowUpsQueued", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Follow-ups that were queued for connections that are still owed a message.",
	}
	// PostsDelivered counts posts that were taken by the gateway.
	PostsDelivered = Metric{
		Name: "PostsDelivered", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Posts to one connection that the gateway took (2xx).",
	}
	// PostsGone counts posts to connections that no longer exist.
	PostsGone = Metric{
		Name: "PostsGone", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Posts to a connection that no longer exists (410). This is no failure: the connection is pruned.",
	}
	// PostsFailed counts posts that have to be tried again.
	PostsFailed = Metric{
		Name: "PostsFailed", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Posts to one connection that failed after the SDK's retries (429, 403, 5xx, time-out, network, or 410 on a connection " +
			"that is still being opened). A follow-up tries again.",
	}
	// PostsThrottled counts what the adaptive limit reacts to.
	PostsThrottled = Metric{
		Name: "PostsThrottled", Unit: Count, Kind: Counter, Functions: []string{send},
		Meaning: "Answers 429 of the gateway, those included that a retry made up for. `send` posts less at once while they come.",
	}
	// DeliveryLatency is how long messages are under way.
	DeliveryLatency = Metric{
		Name: "DeliveryLatency", Unit: Milliseconds, Kind: Observation, Functions: []string{send},
		Meaning: "Time from when the message was first sent to the queue until the gateway took it, one value per delivered post. Broadcasts " +
			"are not in it: they wait on purpose, so as not to exceed `broadcastRate`.",
	}
)

// catalogue is every metric there is, sorted by name.
var catalogue = []Metric{
	ActiveConnections, BroadcastUsers, ColdStarts, ConnectionsClosed, ConnectionsExpired, ConnectionsOpened, DeliveryLatency,
	DuplicatesDropped, EventsHeldBack, EventsPublished, FollowUpsQueued, HandlerErrors, KeyRefreshFailures, LeasesRenewed,
	MessagesDeadLettered, MessagesExpired, MessagesOffline, MessagesReceived, MessagesRejected, OnlineQueries, OnlineUsers,
	PostsDelivered, PostsFailed, PostsGone, PostsThrottled, ReceiptsPublished, SweepBacklog, TokensAccepted, TokensRejected,
}

// Catalogue is every metric there is, sorted by name. The slice is the caller's own.
func Catalogue() []Metric { return slices.Clone(catalogue) }
