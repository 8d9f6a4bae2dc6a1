package cloud

import (
	"slices"
	"sync"
)

// Journal keeps what no answer to a call would report, for the console and for tests.
type Journal struct {
	tell func(string) // nil: nobody listens

	mu       sync.Mutex
	problems []string // the latest
	denied   []string // the first: tests judge what went wrong at all, and later ones tend to repeat it
}

// kept bounds each list; a terminal has scrolled by then, too.
const kept = 100

// Problem takes a line about something that went wrong.
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

// deny takes a call that was refused for want of a permission.
func (j *Journal) deny(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report(text)
	if len(j.denied) < kept {
		j.denied = append(j.denied, text)
	}
}

// Problems lists the latest problems, oldest first.
func (j *Journal) Problems() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.problems)
}

// Denied lists the calls that were refused for want of a permission, in the words of AWS's answer.
func (j *Journal) Denied() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.denied)
}
