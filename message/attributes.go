package message

import (
	"slices"
	"strconv"
	"strings"
)

// The message attributes that send writes. The names are reserved: a producer's attributes of these names are not
// carried over.
const (
	RetryAttribute    = "HeliographRetry" // on follow-ups: a State
	OwedAttribute     = "HeliographOwed"  // on dead letters, if something is still owed: a State
	BodyAttribute     = "HeliographBody"  // on both, if the message had to shrink: its body, as bytes
	ReasonAttribute   = "RejectReason"    // on dead letters: "<Reason>: <detail>"
	AttemptsAttribute = "Attempts"        // on dead letters: number of attempts made
	CutAttribute      = "CutFrom"         // on dead letters whose body was cut: its original size in bytes
)

var own = []string{RetryAttribute, OwedAttribute, BodyAttribute, ReasonAttribute, AttemptsAttribute, CutAttribute}

// Own reports whether send reserves an attribute of this name.
func Own(name string) bool { return slices.Contains(own, name) }

// DropOnRedrive reports whether an attribute only describes a message's death, so that a redrive drops it. The state
// of what is owed is kept: it prevents a second delivery to users who already have the message.
func DropOnRedrive(name string) bool { return name == ReasonAttribute || name == AttemptsAttribute }

// DeadLetter describes why a message was given up.
type DeadLetter struct {
	Rejection
	// Attempts is the number of attempts made; 0 after a crash, when none was counted.
	Attempts int
	// CutFrom is the original size in bytes of a message that was cut; such a message can't be redriven.
	CutFrom int
}

// Crashed is the dead letter of a message that the queue itself moved.
func Crashed() DeadLetter {
	return DeadLetter{Rejection: Rejection{ReasonCrash, "moved here by the queue itself, because send died whenever it had the message"}}
}

// ReadDeadLetter reads a dead letter from the values of its attributes; value returns "" for a missing one.
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

// Attribute is one attribute of a dead letter, of SQS's data type String or Number.
type Attribute struct{ Name, Type, Value string }

// Attributes returns the attributes that ReadDeadLetter reads.
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
