package lambda

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
)

// maxLine is the longest log line; a longer one is split, because CloudWatch limits the size of a log event.
const maxLine = 256 << 10

// output is the pipe that receives a child process's stdout and stderr.
//
// The process writes its lines before it answers, but lines and answer arrive by different routes. To have the lines
// first, the reader's side writes a marker into the same pipe and waits until it comes out: everything written earlier
// has then been read.
type output struct {
	read, write *os.File
	marker      []byte
	line        func(text string)
	done        chan struct{} // closed when the reader has finished

	mu      sync.Mutex
	waiting []chan struct{}
	closed  bool
}

// newOutput starts reading at once. The marker is random, so that no program can print it by accident.
func newOutput(line func(string)) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	random := make([]byte, 12)
	_, _ = rand.Read(random) // never fails
	o := &output{read: r, write: w, line: line, done: make(chan struct{})}
	o.marker = []byte("\x00" + hex.EncodeToString(random) + "\x00")
	go o.run()
	return o, nil
}

// sync waits until everything written so far has been delivered.
func (o *output) sync() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		<-o.done
		return
	}
	out := make(chan struct{})
	o.waiting = append(o.waiting, out)
	_, err := o.write.Write(append(bytes.Clone(o.marker), '\n'))
	o.mu.Unlock()
	if err != nil {
		return
	}
	select {
	case <-out:
	case <-o.done:
	}
}

// close waits until everything that the process wrote has been delivered. The process must have ended.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	_ = o.write.Close()
	o.mu.Unlock()
	<-o.done
}

func (o *output) run() {
	defer close(o.done)
	defer func() { _ = o.read.Close() }()
	in := bufio.NewReaderSize(o.read, 4<<10)
	var long []byte // the start of a line that exceeds the buffer
	for {
		part, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) && len(long)+len(part) < maxLine {
			long = append(long, part...)
			continue
		}
		line := part
		if long != nil {
			line, long = append(long, part...), nil
		}
		o.take(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if err != io.EOF {
				o.line("the log could not be read on: " + err.Error())
			}
			return
		}
	}
}

// take delivers one line. A marker may follow the rest of an unfinished line.
func (o *output) take(line []byte) {
	text, synced := bytes.CutSuffix(line, o.marker)
	if len(text) > 0 {
		o.line(string(text))
	}
	if synced {
		o.mu.Lock()
		first := o.waiting[0]
		o.waiting = o.waiting[1:]
		o.mu.Unlock()
		close(first)
	}
}
