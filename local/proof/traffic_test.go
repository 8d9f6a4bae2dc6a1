package proof

import (
	"math"
	"math/rand/v2"

	"heliograph"
)

// minute holds the values measured in one minute, by their metric's label.
type minute map[string][]float64

// set replaces a metric's values.
func (m minute) set(name string, values ...float64) { m[name] = values }

// count sets a counter only if there is something to count, as most of our counters are written.
func (m minute) count(name string, n float64) {
	if n > 0 {
		m[name] = []float64{n}
	}
}

// sum is a metric's total in the minute.
func (m minute) sum(name string) (total float64) {
	for _, v := range m[name] {
		total += v
	}
	return total
}

// move adds a share of one counter to another.
func (m minute) move(share float64, from, to string) {
	moved := math.Round(share * m.sum(from))
	m.set(from, m.sum(from)-moved)
	m.set(to, m.sum(to)+moved)
}

// traffic is a stack in use.
type traffic struct {
	random      *rand.Rand
	posts       float64 // per second
	connections float64
	failing     float64 // share of the posts that fail
	rejecting   float64 // share of the messages that can't be delivered
	letters     float64 // messages that have reached send's dead-letter queue
	deployment  *deployment
}

// newTraffic is a stack with about as many users as cause this traffic, and one failed post in a thousand.
func newTraffic(d *deployment, seed uint64, posts float64) *traffic {
	return &traffic{random: rand.New(rand.NewPCG(seed, 0)), posts: posts, connections: 200 + 15*posts, failing: 0.001, deployment: d}
}

// healthy is a minute in which nothing is wrong. Values that idle resources don't report are missing, as on AWS: those
// of a dead-letter queue without letters, of a table that throttles no call, of a counter that is not always written.
func (t *traffic) healthy() minute {
	m := minute{}
	t.sending(m)
	t.connecting(m)
	t.answering(m)
	t.running(m)
	return m
}

func (t *traffic) sending(m minute) {
	posts := 1 + t.events(60*t.posts)
	failed := min(posts, t.events(posts*t.failing))
	rejected := t.events(posts * t.rejecting)
	m.count("PostsFailed", failed)
	m.count("PostsDelivered", posts-failed)
	m.count("PostsThrottled", t.events(posts*0.001))
	m.count("MessagesReceived", posts+rejected)
	m.count("MessagesRejected", rejected)
	m.count("MessagesDeadLettered", rejected)
	t.letters += rejected
	m.count("ApproximateNumberOfMessagesVisible send-dead-letters", t.letters)
	m.set("DeliveriesDue", posts)
	m.set("DeliveriesOnTime", posts-min(posts, failed+t.events(posts*0.0005)))
	m.set("MessageCount", posts)
	m.set("ApproximateAgeOfOldestMessage send", t.events(1))
	m.set("ApproximateAgeOfOldestMessage grace", t.events(5))
	m.set("ApproximateNumberOfMessagesNotVisible send", t.events(10+t.posts))
	t.invoked(m, heliograph.Send, 6+posts/10)
}

// connecting: connections live for two hours at most, so each minute a 120th of them is opened anew. One token in a
// hundred is invalid.
func (t *traffic) connecting(m minute) {
	connects := 1 + t.events(t.connections/120)
	m.set("ConnectCount", connects)
	m.set("TokensAccepted", connects)
	m.set("TokensRejected", t.events(connects/100))
	m.set("ConnectionsOpened", connects)
	m.set("ActiveConnections", math.Round(t.connections*(1+0.01*t.random.NormFloat64())))
	m.set("SweepBacklog", 0)
	m.count("ClientError", t.events(connects/100))
	m.set("IntegrationError", 0)
	m.set("IteratorAge announce", 100+50*t.random.ExpFloat64())
	for _, name := range []string{heliograph.Authorizer, heliograph.Connect, heliograph.Disconnect, heliograph.Announce} {
		t.invoked(m, name, connects)
	}
	t.invoked(m, heliograph.Sweep, 1)
}

// answering is the traffic of presence queries.
func (t *traffic) answering(m minute) {
	queries := 5 + t.events(6*t.posts)
	m.set("Count", queries)
	m.set("5xx", t.events(queries/1000))
	m.set("Latency", t.times(20)...)
	t.invoked(m, heliograph.Online, queries)
	t.invoked(m, heliograph.Hello, 1+t.events(t.connections/240)) // every other client speaks heliograph.v1
}

// running covers the account and the table.
func (t *traffic) running(m minute) {
	m.set("ClaimedAccountConcurrency", 5+t.events(t.posts/20))
	for _, operation := range []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem"} {
		m.set("SuccessfulRequestLatency "+operation, t.times(5)...)
	}
	if t.random.Float64() < 0.002 {
		m.count("DeadlinesMissed", 1)
	}
}

// invoked sets the metrics of a function with that many invocations. Lambda writes a zero for each invocation without
// an error.
func (t *traffic) invoked(m minute, name string, times float64) {
	m.set("Invocations "+name, math.Round(times))
	m.set("Errors "+name, t.events(times/10_000))
	m.count("HandlerErrors "+name, t.events(times/2000))
	m.set("Throttles "+name, 0)
	m.set("Duration "+name, t.times(15)...)
}

// events draws a number of independent events around an expected one.
func (t *traffic) events(expected float64) float64 {
	if expected > 50 {
		return max(0, math.Round(expected+math.Sqrt(expected)*t.random.NormFloat64()))
	}
	n, left := 0.0, math.Exp(-expected)
	for product := t.random.Float64(); product > left; product *= t.random.Float64() {
		n++
	}
	return n
}

// times is a sample of durations in milliseconds around a median, with a long tail.
func (t *traffic) times(median float64) []float64 {
	all := make([]float64, 10)
	for i := range all {
		all[i] = median * math.Exp(0.5*t.random.NormFloat64())
	}
	return all
}

// cause changes the minutes while it lasts. Once it is over, only its lasting effects remain.
type cause func(m minute, over bool)

// during is a cause without lasting effects.
func during(change func(m minute)) cause {
	return func(m minute, over bool) {
		if !over {
			change(m)
		}
	}
}

// is sets a metric's value while the cause lasts.
func is(name string, value float64) cause { return during(func(m minute) { m.set(name, value) }) }

// silence stops metrics from being written.
func silence(names ...string) cause {
	return during(func(m minute) {
		for _, name := range names {
			delete(m, name)
		}
	})
}

func failedPosts(share float64) cause {
	return during(func(m minute) {
		m.move(share, "PostsDelivered", "PostsFailed")
		m.set("DeliveriesOnTime", math.Round((1-share)*m.sum("DeliveriesDue")))
	})
}

func lateDeliveries(share float64) cause {
	return during(func(m minute) { m.set("DeliveriesOnTime", math.Round((1-share)*m.sum("DeliveriesDue"))) })
}

// failedConnects crashes one of the functions involved in a connect.
func failedConnects(share float64, function string) cause {
	return during(func(m minute) { m.move(share, "ConnectionsOpened", "Errors "+function) })
}

func failedQueries(share float64) cause {
	return during(func(m minute) { m.set("5xx", math.Round(share*m.sum("Count"))) })
}

// slowQueries makes queries take a second.
func slowQueries(share float64) cause {
	return during(func(m minute) {
		for i := range m["Latency"] {
			if float64(i) < share*float64(len(m["Latency"])) {
				m["Latency"][i] = 1000
			}
		}
	})
}

// rejectedTokens stands for clients that retry again and again, hence the high count.
func rejectedTokens(share float64) cause {
	return during(func(m minute) {
		m.set("TokensAccepted", 200*(1-share))
		m.set("TokensRejected", 200*share)
	})
}

// refused makes a share of the messages undeliverable; they become dead letters.
func refused(share float64) cause {
	return during(func(m minute) {
		m.set("MessagesRejected", math.Round(share*m.sum("MessagesReceived")))
		m.set("MessagesDeadLettered", m.sum("MessagesRejected"))
	})
}

// lost lets a share of the messages run out of attempts.
func lost(share float64) cause {
	return during(func(m minute) {
		m.set("MessagesDeadLettered", m.sum("MessagesRejected")+math.Round(share*m.sum("MessagesReceived")))
	})
}

// deadLetter arrives in an idle queue, for which SQS wrote no metric until then, and stays there.
func deadLetter(queue string) cause {
	return func(m minute, _ bool) { m.set("ApproximateNumberOfMessagesVisible "+queue, 1) }
}

// throttledTable throttles a few calls of every kind.
func throttledTable(m minute) {
	for _, name := range []string{"ReadThrottleEvents", "WriteThrottleEvents", "ReadThrottleEvents gsi1", "WriteThrottleEvents gsi1"} {
		m.set(name, 5)
	}
}

// answeredErrors are errors that a function answers itself; crashes are those that only Lambda sees.
func answeredErrors(function string) cause {
	return during(func(m minute) { m.set("HandlerErrors "+function, math.Ceil(0.2*m.sum("Invocations "+function))+3) })
}

func crashes(function string) cause {
	return during(func(m minute) { m.set("Errors "+function, math.Ceil(0.2*m.sum("Invocations "+function))+3) })
}

// slow makes a tenth of a function's invocations take almost as long as they may.
func (d *deployment) slow(function string) cause {
	return during(func(m minute) {
		took := m["Duration "+function]
		for i := range took[:max(1, len(took)/10)] {
			took[i] = 0.95 * float64(d.timeouts[function].Milliseconds())
		}
	})
}
