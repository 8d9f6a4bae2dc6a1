package cloud

import (
	"slices"
	"sync"
)

// Journal keeps problems that no answer to a call reports, for the console and for tests.
type Journal struct {
	tell func(string) // nil: no listener

	mu       sync.Mutex
	problems []string // the most recent
	denied   []string // the earliest: tests ask whether anything was denied at all, and later denials tend to repeat the first
}

// kept bounds each list; by then, a terminal has scrolled past them as well.
const kept = 100

// Problem records a problem as one line.
func (j *Journal) Problem(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report(text)
}

func (j *Journal) report(text string) {
	j.problems = append(j.problems, text)
	j.problems = j.problems[max(0, len(j.problems)-kept):]
	if j.tell != nil {
		j.tell(text)
	}
}

// deny records a call that was refused for a missing permission.
func (j *Journal) deny(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report(text)
	if len(j.denied) < kept {
		j.denied = append(j.denied, text)
	}
}

// Problems lists the most recent problems, oldest first.
func (j *Journal) Problems() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.problems)
}

// Denied lists the calls that were refused for a missing permission, in the words of AWS's answer.
func (j *Journal) Denied() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.denied)
}
