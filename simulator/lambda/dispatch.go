package lambda

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// dispatch hands the environment an event. It reports false if the environment is dead.
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
	e.system(systemLine{
		text:  "START RequestId: " + inv.id + " Version: $LATEST",
		event: "platform.start", level: "INFO", record: map[string]any{"requestId": inv.id, "version": "$LATEST"},
	})
	if e.p.options.Freeze {
		e.child.thaw()
	}
	e.events <- inv
	return true
}

// end kills the process if it is still working on the event, on a time-out or an injected fault; watch does the rest.
func (e *environment) end(inv *invocation, timedOut bool) {
	e.mu.Lock()
	busy := e.current == inv
	e.timedOut = e.timedOut || busy && timedOut
	e.mu.Unlock()
	if busy {
		e.child.kill()
	}
}

// asksNext runs when the process asks for its next event, which means that the previous one is complete.
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

// claim gives the event under way to the first caller only: an answer and the death of the process may race for it.
func (e *environment) claim() *invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	inv := e.current
	e.current = nil
	return inv
}

// checkMemory returns the process's peak memory. If that exceeds the function's memory, checkMemory kills the process,
// as Lambda would have done earlier, and returns -1.
func (e *environment) checkMemory(inv *invocation) int64 {
	peak := peakMemory(e.child.cmd.Process.Pid)
	if peak <= int64(inv.f.MemorySize)<<20 {
		return peak
	}
	inv.mu.Lock()
	inv.answer = nil
	inv.mu.Unlock()
	why := fmt.Sprintf("the function used %d MB and has %d MB: it is killed, as Lambda would have done", peak>>20, inv.f.MemorySize)
	e.system(systemLine{text: why, event: "platform.fault", level: "WARN", record: why})
	e.child.kill()
	return -1
}

// failed settles the event that the process was working on when it died, if any.
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
		e.system(systemLine{text: e.p.options.Now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + inv.id + " " + text})
		inv.fail("Sandbox.Timedout", "%s", text)
	} else {
		reason := e.child.exitReason()
		e.system(systemLine{text: "RequestId: " + inv.id + " Error: " + reason})
		inv.fail("Runtime.ExitError", "%s", reason)
	}
	e.complete(inv, endPeak(e.child.cmd.ProcessState), false)
}

// complete logs and measures an event, then gives its caller the answer.
func (e *environment) complete(inv *invocation, peak int64, alive bool) {
	inv.stop()
	status, level := ended(inv.answer.errorType, "DEBUG")
	e.system(systemLine{
		text:  "END RequestId: " + inv.id,
		event: "platform.runtimeDone", level: level, record: map[string]any{"requestId": inv.id, "status": status},
	})
	e.system(e.report(inv, peak))
	e.mu.Lock()
	log := e.tail.String()
	e.tail, e.requestID = tail{}, ""
	e.mu.Unlock()
	e.p.account(inv)
	if alive {
		if e.p.options.Freeze {
			e.child.freeze() // before release, which may thaw it immediately
		}
		e.p.release(e) // before settle, so that the caller's next event finds the environment warm
	}
	e.p.left(inv)
	inv.settle(log)
}

// report returns Lambda's report on an event.
func (e *environment) report(inv *invocation, peak int64) systemLine {
	status, level := ended(inv.answer.errorType, "INFO")
	metrics := map[string]float64{
		"durationMs":       float64(inv.duration.Microseconds()) / 1000,
		"billedDurationMs": billed(inv),
		"memorySizeMB":     float64(inv.f.MemorySize),
		"maxMemoryUsedMB":  float64(megabytes(peak)),
	}
	if inv.initDuration > 0 {
		metrics["initDurationMs"] = float64(inv.initDuration.Microseconds()) / 1000
	}
	record := map[string]any{"requestId": inv.id, "status": status, "metrics": metrics}
	if inv.answer.errorType != "" {
		record["errorType"] = inv.answer.errorType
	}
	return systemLine{text: e.reportText(inv, peak), event: "platform.report", level: level, record: record}
}

// billed is what an event is billed for, in milliseconds; the init is billed, too.
func billed(inv *invocation) float64 {
	return math.Ceil(float64(inv.duration+inv.initDuration) / float64(time.Millisecond))
}

func megabytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// reportText returns Lambda's REPORT line.
func (e *environment) reportText(inv *invocation, peak int64) string {
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		inv.id, milliseconds(inv.duration), billed(inv), inv.f.MemorySize, megabytes(peak))
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

// account sends an invocation's metrics to CloudWatch and its segments to X-Ray.
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

// usual estimates a function's duration: that of the last success, or a guess before the first.
func (p *Platform) usual(f *function) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(f.lastDuration, 10*time.Millisecond)
}
