package message

import (
	"slices"
	"strconv"
	"strings"
)

// The message attributes that send writes. They are its own: a producer's attributes of these names do not travel along.
const (
	RetryAttribute    = "HeliographRetry" // on follow-ups: a State
	OwedAttribute     = "HeliographOwed"  // on dead letters of which something is still owed: a State
	BodyAttribute     = "HeliographBody"  // on both, where the message had to become smaller: its body, as bytes
	ReasonAttribute   = "RejectReason"    // on dead letters: "<Reason>: <detail>"
	AttemptsAttribute = "Attempts"        // on dead letters: how many attempts were made
	CutAttribute      = "CutFrom"         // on dead letters whose body is not whole: how many bytes it had
)

var own = []string{RetryAttribute, OwedAttribute, BodyAttribute, ReasonAttribute, AttemptsAttribute, CutAttribute}

// Own reports whether send writes an attribute of this name.
func Own(name string) bool { return slices.Contains(own, name) }

// DropOnRedrive reports whether an attribute tells of a message's death only, so that it stays behind when the message is
// put back. What is owed goes along: it keeps the message from those who have it.
func DropOnRedrive(name string) bool { return name == ReasonAttribute || name == AttemptsAttribute }

// DeadLetter is why a message was given up.
type DeadLetter struct {
	Rejection
	// Attempts is how many were made; 0 after a crash, when nobody counted.
	Attempts int
	// CutFrom is how many bytes the message had, if it is not whole; such a one can't be put back.
	CutFrom int
}

// Crashed is the dead letter of a message that the queue moved by itself.
func Crashed() DeadLetter {
	return DeadLetter{Rejection: Rejection{ReasonCrash, "moved here by the queue itself, because send died whenever it had the message"}}
}

// ReadDeadLetter reads a dead letter from the values of its attributes, "" for one that is missing.
func ReadDeadLetter(value func(name string) string) DeadLetter {
	why := value(ReasonAttribute)
	if why == "" {
		return Crashed()
	}
	reason, detail, _ := strings.Cut(why, ": ")
	l := DeadLetter{Rejection: Rejection{Reason(reason), detail}}
	l.Attempts, _ = strconv.Atoi(value(AttemptsAttribute))
	l.CutFrom, _ = strconv.Atoi(value(CutAttribute))
	return l
}

// Attribute is one of a dead letter's attributes, of SQS's data type String or Number.
type Attribute struct{ Name, Type, Value string }

// Attributes are those that ReadDeadLetter reads.
func (l DeadLetter) Attributes() []Attribute {
	all := []Attribute{
		{ReasonAttribute, "String", l.String()},
		{AttemptsAttribute, "Number", strconv.Itoa(l.Attempts)},
	}
	if l.CutFrom > 0 {
		all = append(all, Attribute{CutAttribute, "Number", strconv.Itoa(l.CutFrom)})
	}
	return all
}
