package cost

import (
	"math"

	"heliograph"
)

// Quota is a limit of an account, and what a load takes of it.
type Quota struct {
	Name string  `json:"name"`
	Has  float64 `json:"has"`
	Uses float64 `json:"uses"`
	Mend string  `json:"mend"` // how to get more
}

// Limits are those of an account that differ from account to account.
type Limits struct {
	Concurrency    float64 // Lambda's, of all functions
	Connects       float64 // new connections a second
	Requests       float64 // to all APIs, a second
	MaxConcurrency float64 // the stack's own: batches of messages at once
}

// Usual are AWS's defaults, and the configuration's. A new account has 10 concurrent executions.
var Usual = Limits{Concurrency: 1000, Connects: 500, Requests: 10_000, MaxConcurrency: 3}

// Quotas hold a load, at its average, against limits. Peaks are for the reader to add.
func Quotas(l Load, c Choices, has Limits) []Quota {
	return []Quota{
		{"new connections a second", has.Connects, l.Sessions, "quota L-9ED1E49A of apigateway"},
		{"requests to API Gateway a second", has.Requests, l.Messages*l.Devices + 2*l.Sessions + l.Queries + l.renewals(c), "quota L-8A5B8E43 of apigateway"},
		{"concurrent executions", has.Concurrency, l.concurrency(""), "quota L-B99A9384 of lambda"},
		{"batches of messages at once", has.MaxConcurrency, l.concurrency(heliograph.Send), "config maxConcurrency"},
	}
}

// concurrency is how many executions of a function there are at once, "" for all: rate times duration.
func (l Load) concurrency(function string) (executions float64) {
	for _, c := range l.calls() {
		if f := Functions[c.function]; function == "" || c.function == function {
			executions += c.rate * (f.took + f.more*(c.records-1)) / 1000
		}
	}
	return executions
}

// Thresholds are those of the alarms that depend on the load and the account, by the alarms' names: twice the connections
// there usually are, and four fifths of what the account has.
func Thresholds(l Load, has Limits) map[string]float64 {
	const share = 0.8
	return map[string]float64{
		"active-connections": math.Ceil(2 * l.Connections),
		"connect-rate":       math.Floor(share * has.Connects),
		"concurrency":        math.Floor(share * has.Concurrency),
	}
}
