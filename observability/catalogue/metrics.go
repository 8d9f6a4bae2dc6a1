package catalogue

import "heliograph"

// everyFunction is for the wrapper's own metrics.
var everyFunction = heliograph.Functions()

// The wrapper's own metrics, one series per function.
var (
	ColdStarts = counter("ColdStarts",
		"Invocations that were the first of their execution environment, and so waited for its start.",
		everyFunction...).perFunction()
	// HandlerErrors: a handler adds to it only for an error that it answers itself. The wrapper counts those returned.
	HandlerErrors = counter("HandlerErrors",
		"Invocations whose handler returned an error or panicked, and failures that a handler answered itself (a 500 of "+
			"`online`, a panic over one message in `send`). A function that is killed at its time-out can't count itself: "+
			"see Lambda's own Errors for those.",
		everyFunction...).perFunction()
	RecordsFailed = counter("RecordsFailed",
		"Records of a batch that come again, because a partial answer asked for them. Each invocation with one counts in "+
			"HandlerErrors, too. Of a stream's batch only the first is named, and all after it come again.",
		heliograph.Announce, heliograph.Send).perFunction()
	DeadlinesMissed = counter("DeadlinesMissed",
		"Invocations that were still running half a second before their time-out. Their log line, and the annotation `place` of their "+
			"trace, name the step that they were in.",
		everyFunction...)
	SpansDropped = counter("SpansDropped",
		"Spans of traced invocations beyond the budget of 200. They are summed by name in the metadata of the invocation's span.",
		everyFunction...)
)

// Who may come in.
var (
	TokensAccepted = counter("TokensAccepted",
		"Tokens that were accepted.",
		heliograph.Authorizer).alwaysWritten()
	TokensRejected = counter("TokensRejected",
		"Tokens, or requests without one, that were answered with a Deny policy (403). The property `reason` says why.",
		heliograph.Authorizer).alwaysWritten()
	KeyRefreshFailures = counter("KeyRefreshFailures",
		"Times that the secret or the published keys could not be read again. The last good ones stay in use for a while: a rotation does not take effect.",
		heliograph.Authorizer)
	KeyTimeLeft = remaining("KeyTimeLeft",
		"How long the last good secret or keys stay in use, one value each time that they could not be read; look at the Minimum. "+
			"At 0, tokens that they would verify are answered 500: see `keyGrace`.",
		heliograph.Authorizer)
)

// Who is there.
var (
	ConnectionsOpened = counter("ConnectionsOpened",
		"Connections opened and recorded.",
		heliograph.Connect)
	ConnectionsRefused = counter("ConnectionsRefused",
		"Connections that were refused (429), because their user has as many as `maxConnectionsPerUser` allows.",
		heliograph.Connect)
	ConnectionsClosed = counter("ConnectionsClosed",
		"Connections whose record was deleted: by `disconnect`, by `send` and `sweep` when the gateway says that "+
			"they are gone, by `announce` when the table's TTL removed them.",
		heliograph.Announce, heliograph.Disconnect, heliograph.Send, heliograph.Sweep)
	ConnectionsExpired = counter("ConnectionsExpired",
		"Connections that `sweep` closed because their token had expired.",
		heliograph.Sweep)
	LeasesRenewed = counter("LeasesRenewed",
		"Connections that were verified at the end of their lease and found alive.",
		heliograph.Sweep)
	SweepBacklog = gauge("SweepBacklog",
		"Connections whose lease had ended but which this run of `sweep` did not reach.",
		heliograph.Sweep)
	ActiveConnections = gauge("ActiveConnections",
		"Connections that are open, counted once a minute.",
		heliograph.Sweep)
	OnlineUsers = gauge("OnlineUsers",
		"Users who are online, counted once a minute.",
		heliograph.Sweep)
	OnlineQueries = counter("OnlineQueries",
		"Presence queries answered; each page counts.",
		heliograph.Online)
	OnlineQueriesForbidden = counter("OnlineQueriesForbidden",
		"Presence queries about other users that were answered 403, because `onlineQuery` does not let their token ask them.",
		heliograph.Online)
	UsersCameOnline = counter("UsersCameOnline",
		"Published events that a user came online.",
		heliograph.Announce)
	UsersWentOffline = counter("UsersWentOffline",
		"Published events that a user went offline, after the grace period.",
		heliograph.Announce)
	EventsHeldBack = counter("EventsHeldBack",
		"Presence changes that were not published: the user was back within the grace period, or a newer change overtook them.",
		heliograph.Announce)
)

// Who speaks heliograph.v1.
var (
	Hellos = counter("Hellos",
		"Frames `hello` of clients of heliograph.v1 that were answered: one for each of their connections, and one for each time that "+
			"they ask again.",
		heliograph.Hello)
	MessagesKept = counter("MessagesKept",
		"Messages that were kept, one for each user.",
		heliograph.Send)
	MessagesReplayed = counter("MessagesReplayed",
		"Kept messages that clients of heliograph.v1 had missed and were sent after their `hello`.",
		heliograph.Hello)
	Resets = counter("Resets",
		"Clients of heliograph.v1 whose cursor was too old or unknown, so that they must load their state anew.",
		heliograph.Hello)
	PositionsFilled = counter("PositionsFilled",
		"Positions of kept messages that were empty when a client came back, because `send` was slow or had died, and that `hello` filled "+
			"with nothing. A slow `send` then takes another position.",
		heliograph.Hello)
	FramesIgnored = counter("FramesIgnored",
		"Frames of heliograph.v1 that came from a client that had not offered it. They have no effect and no answer.",
		heliograph.Hello)
)

// What was sent.
var (
	MessagesReceived = counter("MessagesReceived",
		"Messages received from the queue, including follow-ups.",
		heliograph.Send)
	MessagesRejected = counter("MessagesRejected",
		"Messages that can never be delivered: malformed, without a target, or too large. They go to the dead-letter queue at once.",
		heliograph.Send)
	MessagesExpired = counter("MessagesExpired",
		"Messages dropped because their `ExpiresAt` had passed.",
		heliograph.Send)
	MessagesOffline = counter("MessagesOffline",
		"Messages dropped because none of their recipients had an open connection.",
		heliograph.Send)
	DuplicatesDropped = counter("DuplicatesDropped",
		"Users, or connections addressed by their id, that were not sent a message again because they had one with the same `Id` "+
			"within `idempotencyWindow`.",
		heliograph.Send)
	BroadcastUsers = counter("BroadcastUsers",
		"Users that broadcasts have covered, whatever the outcome. A broadcast is done when it has covered all users "+
			"online: compare with OnlineUsers.",
		heliograph.Send)
	ReceiptsPublished = counter("ReceiptsPublished",
		"Receipts (`MessageSettled`) that were published for messages that asked for one.",
		heliograph.Send)
	MessagesDeadLettered = counter("MessagesDeadLettered",
		"Messages that `send` put on the dead-letter queue, rejected ones and those out of attempts.",
		heliograph.Send)
	FollowUpsQueued = counter("FollowUpsQueued",
		"Follow-ups that were queued for connections that are still owed a message.",
		heliograph.Send)
	PostsDelivered = counter("PostsDelivered",
		"Posts to one connection that the gateway took (2xx).",
		heliograph.Send)
	PostsGone = counter("PostsGone",
		"Posts to a connection that no longer exists (410). This is no failure: the connection is pruned.",
		heliograph.Send)
	PostsFailed = counter("PostsFailed",
		"Posts to one connection that failed after the SDK's retries (429, 403, 5xx, time-out, network, or 410 on a connection "+
			"that is still being opened). A follow-up tries again.",
		heliograph.Send)
	PostsThrottled = counter("PostsThrottled",
		"Answers 429 of the gateway, including those that a retry made up for. `send` makes fewer concurrent posts while they continue.",
		heliograph.Send).everySecond() // the gateway's limit is one of a second
	DeliveriesDue = counter("DeliveriesDue",
		"Posts to one connection that the promise of delivery is about: those delivered or failed on a message's first attempt, broadcasts "+
			"aside. A connection that is gone, and a message that can't be delivered, break no promise.",
		heliograph.Send).alwaysWritten()
	DeliveriesOnTime = counter("DeliveriesOnTime",
		"Of DeliveriesDue, those that the gateway took within a second of when the message was first sent to the queue.",
		heliograph.Send).alwaysWritten()
	DeliveryLatency = latency("DeliveryLatency",
		"Time from when the message was first sent to the queue until the gateway took it, one value per delivered post. Broadcasts "+
			"are not in it: they wait on purpose, so as not to exceed `broadcastRate`.",
		heliograph.Send)
)
