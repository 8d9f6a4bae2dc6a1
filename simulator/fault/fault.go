// Package fault injects faults. A Rule says where (a service, an action, a resource, a caller), how (an error, added
// latency, a lost or duplicated event, a killed function) and how often. A Set holds the rules in effect; the simulated
// services consult it before they act.
//
// An unknown word in a rule is an error that lists the allowed ones: otherwise a fault that never happens because of a
// typing error would seem to prove that all is well.
package fault

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/iam"
	"heliograph/simulator/wire"
)

// Event is an event that a fault may affect: an API call, an invocation, a disconnect or a delivery.
type Event struct {
	Service Service
	// Action is an API action, "Invoke" for Lambda, and empty for services without actions.
	Action string
	// Resources are the ARNs that it touches.
	Resources []string
	// Caller is the name of the calling function, empty for any other caller.
	Caller string
}

// Outcome is how an event fails; with the zero Outcome it does not.
type Outcome struct {
	// Wait is how long the event is delayed first; for a duplicate, the minimum time between the first and the second
	// delivery.
	Wait time.Duration
	// Error is the response that a caller gets, nil for none.
	Error *wire.Error
	// NoAnswer cuts the caller's connection instead of answering.
	NoAnswer bool
	// LostAnswer cuts it after the call was carried out.
	LostAnswer bool
	// Lost means that the event never happens.
	Lost bool
	// Duplicate means that it is delivered once more.
	Duplicate bool
	// Kill returns the moment at which a function is killed, counted from the event's arrival, given its usual
	// duration. nil: it is not killed.
	Kill func(usual time.Duration) time.Duration
}

// Set holds the rules in effect. It is safe for concurrent use. Make it with New.
type Set struct {
	actions map[Service][]string

	mu    sync.Mutex
	rules []*active
	made  int
}

// active is a rule in effect, with its hit count.
type active struct {
	Status
	random *rand.Rand
}

// Status is a rule in effect.
type Status struct {
	Rule
	// Hits is how many events it has affected.
	Hits int `json:"hits"`
	// Spent is true once it has affected as many events as its count: it has no further effect.
	Spent bool `json:"spent,omitempty"`
}

// New makes an empty Set. actions are the names of each service's API actions.
func New(actions map[Service][]string) *Set {
	return &Set{actions: actions}
}

// Add puts a rule into effect and returns its id. An invalid rule is an error that says what would be valid.
func (s *Set) Add(r Rule) (ID, error) {
	if err := r.check(s.actions[r.Service]); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	r.ID = ID("fault-" + strconv.Itoa(s.made))
	seed := r.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.rules = append(s.rules, &active{Status{Rule: r}, rand.New(rand.NewPCG(seed, 0))})
	return r.ID, nil
}

// List returns all rules, oldest first, including spent ones.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, len(s.rules))
	for i, r := range s.rules {
		list[i] = r.Status
	}
	return list
}

// Remove ends a rule. An unknown id is an error.
func (s *Set) Remove(id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(r *active) bool { return r.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no fault %q; there are %s", id, s.ids())
	}
	s.rules = slices.Delete(s.rules, i, i+1)
	return nil
}

func (s *Set) ids() string {
	if len(s.rules) == 0 {
		return "none"
	}
	ids := make([]string, len(s.rules))
	for i, r := range s.rules {
		ids[i] = string(r.ID)
	}
	return strings.Join(ids, ", ")
}

// Clear ends all rules.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Meet decides which faults affect an event. Rules are tried in the order in which they were made. Their waits add up;
// the first rule that does more than wait ends the search, and later ones are not used up.
func (s *Set) Meet(e Event) (o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if !r.matches(e) || !r.strikes() {
			continue
		}
		if r.apply(&o) {
			return o
		}
	}
	return o
}

// strikes draws whether a matching rule takes effect, and counts it.
func (r *active) strikes() bool {
	if r.Spent || r.Rate > 0 && r.random.Float64() >= r.Rate {
		return false
	}
	r.Hits++
	r.Spent = r.Hits == r.Count
	return true
}

// apply adds the rule's effects to an outcome; last reports that no other rule applies.
func (r *active) apply(o *Outcome) (last bool) {
	if r.Kill { // its latency is the moment
		o.Kill = r.moment()
		return true
	}
	if r.Latency != nil {
		o.Wait += r.Latency.Draw(r.random)
	}
	switch {
	case r.Lost:
		o.Lost = true
	case r.Duplicate:
		o.Duplicate = true
	case r.breaksOff():
		o.NoAnswer, o.LostAnswer = r.Error == NoAnswer, r.Error == LostAnswer
	case r.code() != "":
		o.Error = answer(r.Service, r.code())
	default:
		return false
	}
	return true
}

// moment returns when a function dies: after the rule's latency, or at a random moment of an invocation of usual
// length.
func (r *active) moment() func(time.Duration) time.Duration {
	if r.Latency != nil {
		after := r.Latency.Draw(r.random)
		return func(time.Duration) time.Duration { return after }
	}
	share := r.random.Float64()
	return func(usual time.Duration) time.Duration { return time.Duration(share * float64(usual)) }
}

func (r Rule) matches(e Event) bool {
	return r.Service == e.Service &&
		(r.Action == "" || r.Action == wildcard || r.Action == e.Action) &&
		(r.Caller == "" || e.Caller != "" && iam.Match(r.Caller, e.Caller)) &&
		(r.Resource == "" || slices.ContainsFunc(e.Resources, func(arn string) bool { return iam.Match(r.Resource, arn) }))
}

// wildcard is the action that stands for all actions.
const wildcard = "*"

// sorted lists a map's keys, for a message.
func sorted[K ~string, V any](m map[K]V) string {
	words := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}
