package cost

import "math"

// Alternative is another way to reach devices, with the part of the load that it takes over.
type Alternative struct {
	Name  string  `json:"name"`
	USD   float64 `json:"usd"`   // a month
	Lacks string  `json:"lacks"` // what a stack has besides
}

// Alternatives are what a load would cost elsewhere, as far as prices tell. Messages are taken for 5 KB or less.
func Alternatives(l Load) []Alternative {
	const lacks = "who is online, retries, dead letters, receipts; its metrics and alarms are yours to make"
	operations := (l.Messages*(1+l.Devices) + 2*l.Sessions) * seconds // in, out; connect and subscribe
	return []Alternative{
		{"AppSync Events", minutes*l.Connections*eventMinute + operations*eventOperation, lacks},
		{"IoT Core (MQTT over WebSocket)", minutes*l.Connections*thingMinute + operations*thingMessage, "the same, and it needs an MQTT client; it does know sessions"},
		{"Centrifugo on Fargate", centrifugo(l), "retries and dead letters; upgrades, scaling and failover are yours; data between zones is not in it"},
	}
}

// Assumptions about Centrifugo: tasks of 1 vCPU and 2 GB hold 20,000 connections each, post 2,000 messages a second each,
// and are at least two, as are the nodes of Redis that join them and know who is online.
const (
	taskConnections = 20_000
	taskPosts       = 2_000
	tasksAtLeast    = 2
	redisNodes      = 2
)

func centrifugo(l Load) float64 {
	const hours = minutes / 60
	tasks := max(tasksAtLeast, math.Ceil(l.Connections/taskConnections), math.Ceil(l.Messages*l.Devices/taskPosts))
	units := max(1, l.Connections/3_000, l.Sessions/25)
	return hours * (tasks*(taskCPUHour+2*taskGigabyteHour) + balancerHour + units*balancerUnitHour + redisNodes*redisHour)
}
