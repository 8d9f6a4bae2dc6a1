// Package cost computes what a stack costs in a month, from the units that tests of the other packages demand of each
// operation and from prices that were looked up. The tables of docs/cost.md are made from it.
package cost

// Units are capacity units of DynamoDB, in the table and in its index together.
type Units struct{ Read, Write float64 }

// The units of each operation. Tests of presence, delivery and mailbox demand exactly these.
var (
	ConnectFirst    = Units{Write: 4}
	ConnectAnother  = Units{Write: 3}
	DisconnectLast  = Units{Read: 2, Write: 4}
	DisconnectOne   = Units{Read: 2, Write: 2}
	DisconnectEarly = Units{Read: 2, Write: 3} // while another is new
	AnnounceComing  = Units{Read: 1, Write: 2}
	AnnounceGoing   = Units{Read: 1, Write: 2}
	AnnounceAnother = Units{}
	AnnounceBack    = Units{Read: 1, Write: 1}
	RenewLease      = Units{Write: 3}
	FindConnections = Units{Read: 1}
	Claim           = Units{Write: 1}
	OneStatus       = Units{Read: 1}
	PageOf100       = Units{Read: 2}
	SweepOfNothing  = Units{Read: 24}

	ResumeWithNothing = Units{Read: 1}
)

// Keep returns the units of keeping a message of so many KB for a user: its number, and its item, which is a bit larger.
func Keep(kb int) Units { return Units{Write: float64(1 + kb + 1)} }

// CountOf100 is the most that each gauge reads for 100 entries of the index more, by ids of 36 bytes.
const CountOf100 = 1.4

// lookAtLease is what the sweep reads of a connection whose lease has ended.
const lookAtLease = 0.5

// operation is a row of the table of operations.
type operation struct {
	name  string
	units Units
	note  string
}

// operations is the table of operations, in the order of a connection's and then a message's life.
var operations = []operation{
	{"connect, first device", ConnectFirst, "connection and presence, each with its entry in the index"},
	{"connect, second device", ConnectAnother, "the presence keeps its entry"},
	{"disconnect, last device", DisconnectLast, ""},
	{"disconnect, one of two", DisconnectOne, ""},
	{"disconnect while another is new, as when a page is loaded again", DisconnectEarly, "one more, to raise the epoch"},
	{"announce that a user came", AnnounceComing, "the connection is looked for; decided, then marked as published"},
	{"announce that a user went", AnnounceGoing, ""},
	{"announce nothing, for a second device", AnnounceAnother, ""},
	{"announce nothing, for a user who is back within the grace period", AnnounceBack, "a look for the connection; a condition that fails, which costs a unit, too"},
	{"renew a lease", RenewLease, "the lease's place in the index moves"},
	{"connections of a user, for a message", FindConnections, "for each 4 KB"},
	{"message with an `Id`, for each user", Units{Write: 2 * Claim.Write}, "claimed, then marked as delivered, or released; without an `Id` none"},
	{"follow-up of a message with an `Id`, for each user still owed", Claim, "claimed anew"},
	{"message with an `Id` that is a duplicate, for each user", Claim, "a condition that fails"},
	{"message of 1 KB with `Keep`, for each user", Keep(1), "its position, then the message; one unit more for each KB more, and none for a message without `Keep`"},
	{"client of heliograph.v1 that has missed nothing", ResumeWithNothing, "the head of its mailbox; what was missed takes one for each 4 KB more"},
	{"status of a user", OneStatus, ""},
	{"page of 100 users of the online list", PageOf100, "by ids of 36 bytes, over three shards; at most 2, and half a unit for each shard that it crosses"},
	{"sweep with nothing due", SweepOfNothing, "16 shards, counted by half a unit: connections that are due, those that are not, and users"},
}
