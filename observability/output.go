package observability

import (
	"io"
	"sync"
)

// lines is where log lines and metric lines go. Each Write is one whole line, and no two of them
// interleave, whatever the writer beneath does.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(line)
}
