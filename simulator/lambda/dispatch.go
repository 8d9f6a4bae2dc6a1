package lambda

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// dispatch gives the environment an event; false means that it is dead.
func (e *environment) dispatch(inv *invocation) bool {
	usual := e.p.usual(inv.f)
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return false
	}
	e.current, e.requestID = inv, inv.id
	inv.began = e.p.options.Now()
	inv.deadline = inv.began.Add(inv.f.Timeout)
	started := time.Now()
	timers := []*time.Timer{time.AfterFunc(inv.f.Timeout, func() { e.end(inv, true) })}
	if inv.kill != nil {
		timers = append(timers, time.AfterFunc(inv.kill(usual), func() { e.end(inv, false) }))
	}
	inv.stop = func() {
		for _, timer := range timers {
			timer.Stop()
		}
		inv.duration = time.Since(started)
	}
	e.mu.Unlock()
	e.log("START RequestId: "+inv.id+" Version: $LATEST", true)
	if e.p.options.Freeze {
		e.child.thaw()
	}
	e.events <- inv
	return true
}

// end kills the process if it is still at the event, because its time is up or on purpose; watch does the rest.
func (e *environment) end(inv *invocation, timedOut bool) {
	e.mu.Lock()
	busy := e.current == inv
	e.timedOut = e.timedOut || busy && timedOut
	e.mu.Unlock()
	if busy {
		e.child.kill()
	}
}

// asksNext is called when the process asks for its next event: what it worked on is complete then.
func (e *environment) asksNext() {
	e.output.sync()
	e.mu.Lock()
	if !e.isReady {
		e.isReady = true
		close(e.ready)
	}
	inv := e.current
	e.mu.Unlock()
	if inv == nil {
		return
	}
	inv.fail("Runtime.NoResponse", "Runtime asked for the next event without answering this one")
	if peak := e.checkMemory(inv); peak >= 0 && e.claim() == inv {
		e.complete(inv, peak, true)
	}
}

// claim gives the event under way to the first caller: an answer and the process's death may race for it.
func (e *environment) claim() *invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	inv := e.current
	e.current = nil
	return inv
}

// checkMemory is the memory that the process has used at its peak. If that is more than the function has, the process is
// killed, as Lambda would have done earlier, and the result is -1.
func (e *environment) checkMemory(inv *invocation) int64 {
	peak := peakMemory(e.child.cmd.Process.Pid)
	if peak <= int64(inv.f.MemorySize)<<20 {
		return peak
	}
	inv.mu.Lock()
	inv.answer = nil
	inv.mu.Unlock()
	e.log(fmt.Sprintf("the function used %d MB and has %d MB: it is killed, as Lambda would have done", peak>>20, inv.f.MemorySize), true)
	e.child.kill()
	return -1
}

// failed settles the event that the process died over, if there is one.
func (e *environment) failed() {
	e.mu.Lock()
	e.ended = true
	timedOut := e.timedOut
	e.mu.Unlock()
	inv := e.claim()
	if inv == nil {
		return
	}
	if timedOut {
		text := fmt.Sprintf("Task timed out after %.2f seconds", inv.f.Timeout.Seconds())
		e.log(e.p.options.Now().UTC().Format("2006-01-02T15:04:05.000Z")+" "+inv.id+" "+text, true)
		inv.fail("Sandbox.Timedout", "%s", text)
	} else {
		reason := e.child.exitReason()
		e.log("RequestId: "+inv.id+" Error: "+reason, true)
		inv.fail("Runtime.ExitError", "%s", reason)
	}
	e.complete(inv, endPeak(e.child.cmd.ProcessState), false)
}

// complete reports an event and lets its caller have the answer.
func (e *environment) complete(inv *invocation, peak int64, alive bool) {
	inv.stop()
	e.log("END RequestId: "+inv.id, true)
	e.log(e.report(inv, peak), true)
	e.mu.Lock()
	log := e.tail.String()
	e.tail, e.requestID = tail{}, ""
	e.mu.Unlock()
	e.p.account(inv)
	if alive {
		if e.p.options.Freeze {
			e.child.freeze() // release may thaw it at once
		}
		e.p.release(e) // before the caller goes on: its next event shall find the environment warm
	}
	e.p.left(inv)
	inv.settle(log)
}

// report is Lambda's REPORT line.
func (e *environment) report(inv *invocation, peak int64) string {
	ms := math.Ceil(float64(inv.duration+inv.initDuration) / float64(time.Millisecond)) // the start is billed too
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		inv.id, milliseconds(inv.duration), ms, inv.f.MemorySize, (peak+1<<20-1)>>20)
	if inv.initDuration > 0 {
		line += "\tInit Duration: " + milliseconds(inv.initDuration) + " ms"
	}
	switch inv.answer.errorType {
	case "":
	case "Sandbox.Timedout":
		line += "\tStatus: timeout"
	default:
		line += "\tStatus: error\tError Type: " + inv.answer.errorType
	}
	if inv.trace.sampled {
		line += "\tXRAY TraceId: " + inv.trace.root + "\tSegmentId: " + inv.trace.function + "\tSampled: true"
	}
	return line
}

// account emits what CloudWatch and X-Ray have of an invocation.
func (p *Platform) account(inv *invocation) {
	failed := 0.0
	if inv.answer.isError {
		failed = 1
	}
	if !inv.answer.isError {
		p.mu.Lock()
		inv.f.lastDuration = inv.duration
		p.mu.Unlock()
	}
	p.metric(inv.f, "Invocations", "Count", 1)
	p.metric(inv.f, "Errors", "Count", failed)
	p.metric(inv.f, "Throttles", "Count", 0)
	p.metric(inv.f, "Duration", "Milliseconds", float64(inv.duration)/float64(time.Millisecond))
	p.segments(inv)
}

// usual is how long a function usually takes: as long as the last time, or a guess before the first success.
func (p *Platform) usual(f *function) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(f.lastDuration, 10*time.Millisecond)
}
