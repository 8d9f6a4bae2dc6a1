package stack

import (
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// Most functions mainly wait for DynamoDB; 256 MB give them enough CPU for a TLS handshake in some ten milliseconds.
// Only send computes much: it posts to many connections at once.
const (
	modestMemory = 256
	sendMemory   = 512
)

// sweepMemory returns sweep's memory for a rate. Lambda gives a whole CPU at 1,769 MB; some 2,000 checks a second, each
// with a gateway call and a table write, keep it busy.
func sweepMemory(rate int) int { return max(modestMemory, rate*1769/2000) }

// foundations are the resources that functions use.
type foundations struct {
	table         table
	queues        queues
	eventTopicARN pulumi.StringOutput
	parameters    parameters
	sockets       webSocketAPI
}

// functionSet holds the declared functions by their short names.
type functionSet map[string]function

// declareFunctions declares all functions. Below, each specification lists its environment and its permissions.
func declareFunctions(d *deployment, f foundations) functionSet {
	set := functionSet{}
	for _, s := range []specification{
		d.authorizer(f), d.connect(f), d.disconnect(f), d.hello(f), d.send(f), d.online(f), d.announce(f), d.sweep(f),
	} {
		set[s.name] = declareFunction(d, s)
	}
	return set
}

// authorizer verifies tokens of both APIs.
func (d *deployment) authorizer(f foundations) specification {
	s := specification{
		name:        heliograph.Authorizer,
		description: "Decides, by a request's token, whether it may connect or query",
		memory:      modestMemory,
		environment: map[string]string{
			"JWT_SECRET_PARAMETER":          f.parameters.jwtSecret.name,
			"JWT_SECRET_PREVIOUS_PARAMETER": f.parameters.jwtSecretPrevious.name,
			"JWKS_URL":                      d.config.JWKSURL,
			"JWT_ISSUER":                    d.config.JWTIssuer,
			"JWT_AUDIENCE":                  d.config.JWTAudience,
			"JWT_AUDIENCE_CLAIM":            d.config.JWTAudienceClaim,
			"USER_ID_CLAIM":                 d.config.UserIDClaim,
			"ONLINE_QUERY_CLAIM":            "",
			"ONLINE_QUERY_SCOPE":            "",
			"KEY_GRACE":                     d.config.KeyGrace.String(),
		},
	}
	if d.config.OnlineQuery == heliograph.Claim {
		s.environment["ONLINE_QUERY_CLAIM"], s.environment["ONLINE_QUERY_SCOPE"] = d.config.OnlineQueryClaim, d.config.OnlineQueryScope
	}
	for _, secret := range []secretParameter{f.parameters.jwtSecret, f.parameters.jwtSecretPrevious} {
		if secret.name != "" {
			s.may = append(s.may, allow("ssm:GetParameter").on(secret.arn))
		}
	}
	return s
}

// connect records a new connection, and removes it again if it can't finish.
func (d *deployment) connect(f foundations) specification {
	return specification{
		name:        heliograph.Connect,
		description: "Records a connection that was opened",
		memory:      modestMemory,
		environment: map[string]string{"MAX_CONNECTIONS_PER_USER": strconv.Itoa(d.config.MaxConnectionsPerUser)},
		wiring:      pulumi.StringMap{"TABLE_NAME": f.table.name},
		may: []statement{
			allow("dynamodb:PutItem").on(f.table.arn).of(userPartitions),
			forgets(f.table),
			settles(f.table),
		},
	}
}

// disconnect deletes a connection that the gateway reports as closed.
func (d *deployment) disconnect(f foundations) specification {
	return specification{
		name:        heliograph.Disconnect,
		description: "Forgets a connection that was closed",
		memory:      modestMemory,
		wiring:      pulumi.StringMap{"TABLE_NAME": f.table.name},
		may:         []statement{forgets(f.table), settles(f.table)},
	}
}

// hello answers clients of heliograph.v1 on their own connections, and sends them what was kept.
func (d *deployment) hello(f foundations) specification {
	return specification{
		name:        heliograph.Hello,
		description: "Tells a client of heliograph.v1 about its connection, and sends what it has missed",
		memory:      modestMemory,
		environment: map[string]string{
			"KEEP_MESSAGES": strconv.Itoa(d.config.KeepLimit["messages"]),
			"KEEP_BYTES":    strconv.Itoa(d.config.KeepLimit["bytes"]),
		},
		wiring: pulumi.StringMap{"TABLE_NAME": f.table.name, "CONNECTIONS_ENDPOINT": f.sockets.endpoint},
		may:    []statement{manages(f.sockets, "POST"), replays(f.table)},
	}
}

// send delivers messages. The Query that settles a user also finds the connections to post to; send deletes those that
// are gone. It claims messages with an id in the same table, finds the recipients of a broadcast by the index, and
// publishes receipts.
func (d *deployment) send(f foundations) specification {
	return specification{
		name:        heliograph.Send,
		description: "Delivers queued messages to the open connections of their users",
		memory:      sendMemory,
		environment: map[string]string{
			"BROADCAST_RATE":     strconv.Itoa(d.config.BroadcastRate),
			"IDEMPOTENCY_WINDOW": d.config.IdempotencyWindow.String(),
		},
		wiring: pulumi.StringMap{
			"TABLE_NAME":            f.table.name,
			"CONNECTIONS_ENDPOINT":  f.sockets.endpoint,
			"QUEUE_URL":             f.queues.send.url,
			"DEAD_LETTER_QUEUE_URL": f.queues.sendDeadLetters.url,
			"TOPIC_ARN":             f.eventTopicARN,
		},
		may: []statement{
			polls(f.queues.send),
			allow("sqs:SendMessage").on(f.queues.send.arn, f.queues.sendDeadLetters.arn),
			forgets(f.table),
			settles(f.table),
			claims(f.table),
			seals(f.table),
			keeps(f.table),
			allow("dynamodb:Query").on(f.table.indexARN).of(onlinePartitions),
			manages(f.sockets, "POST"),
			allow("sns:Publish").on(f.eventTopicARN),
		},
	}
}

// online answers presence queries: the list from the index, which holds keys only, single users from the table. It can't read
// the other attributes there, such as the addresses of devices.
func (d *deployment) online(f foundations) specification {
	return specification{
		name:        heliograph.Online,
		description: "Answers presence queries",
		memory:      modestMemory,
		environment: map[string]string{"ONLINE_QUERY": d.config.OnlineQuery},
		wiring:      pulumi.StringMap{"TABLE_NAME": f.table.name},
		may: []statement{
			allow("dynamodb:Query").on(f.table.indexARN).of(onlinePartitions),
			allow("dynamodb:BatchGetItem").on(f.table.arn).of(userPartitions).reading("pk", "sk", "online", "lastActivity"),
		},
	}
}

// announce publishes presence events, from the table's stream and the grace queue. It settles users whose connections
// were deleted elsewhere.
func (d *deployment) announce(f foundations) specification {
	return specification{
		name:        heliograph.Announce,
		description: "Publishes users' coming online and going offline",
		memory:      modestMemory,
		environment: map[string]string{"PRESENCE_GRACE": d.config.PresenceGrace.String()},
		wiring: pulumi.StringMap{
			"TABLE_NAME":      f.table.name,
			"TOPIC_ARN":       f.eventTopicARN,
			"GRACE_QUEUE_URL": f.queues.grace.url,

			"STREAM_FAILURES_QUEUE_URL": f.queues.streamFailures.url,
		},
		may: []statement{
			streams(f.table),
			listsStreams(),
			polls(f.queues.grace),
			allow("sqs:SendMessage").on(f.queues.grace.arn, f.queues.streamFailures.arn), // the latter as Lambda's failure destination
			settles(f.table),
			allow("sns:Publish").on(f.eventTopicARN),
		},
	}
}

// sweep verifies connections whose lease has ended. The index finds them and gives the numbers for the gauges.
func (d *deployment) sweep(f foundations) specification {
	return specification{
		name:        heliograph.Sweep,
		description: "Verifies open connections and counts them",
		memory:      sweepMemory(d.config.SweepRate),
		environment: map[string]string{
			"CONNECTION_LEASE": d.config.ConnectionLease.String(),
			"SWEEP_RATE":       strconv.Itoa(d.config.SweepRate),
			"EXPIRED_TOKENS":   d.config.ExpiredTokens,
		},
		wiring: pulumi.StringMap{
			"TABLE_NAME":           f.table.name,
			"CONNECTIONS_ENDPOINT": f.sockets.endpoint,
		},
		may: []statement{
			allow("dynamodb:Query").on(f.table.indexARN).of(leasePartitions, onlinePartitions),
			allow("dynamodb:BatchGetItem").on(f.table.arn).of(userPartitions),
			forgets(f.table),
			settles(f.table),
			manages(f.sockets, "GET", "DELETE"),
		},
	}
}

// environment returns all variables of a function: the common ones and its own.
func (d *deployment) environment(s specification) pulumi.StringMap {
	variables := pulumi.StringMap{
		"STAGE":          pulumi.String(d.stage),
		"LOG_LEVEL":      pulumi.String(d.config.LogLevel.String()),
		"TRACE_SAMPLING": pulumi.String(strconv.FormatFloat(d.config.TraceSampling, 'f', -1, 64)),
		"LOG_SAMPLING":   pulumi.String(strconv.FormatFloat(d.config.LogSampling, 'f', -1, 64)),
	}
	for name, value := range s.environment {
		variables[name] = pulumi.String(value)
	}
	maps.Copy(variables, s.wiring)
	return variables
}
