package lambda

import (
	"fmt"
	"slices"
	"time"
)

// acquire returns a warm environment, or nil if the caller may start one. If the function already has as many
// environments as this machine allows, acquire waits.
func (p *Platform) acquire(f *function) (*environment, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if n := len(f.idle); n > 0 {
		e := f.idle[n-1] // the most recently used, so that the others can be reaped
		f.idle = f.idle[:n-1]
		e.idle.Stop()
		p.mu.Unlock()
		return e, nil
	}
	if f.alive < p.options.Environments {
		f.alive++
		p.mu.Unlock()
		return nil, nil
	}
	turn := make(chan *environment, 1)
	f.waiting = append(f.waiting, turn)
	p.mu.Unlock()
	select {
	case e := <-turn:
		return e, nil
	case <-p.ending.Done():
		return nil, errClosed
	}
}

// release makes an environment available for the next event.
func (p *Platform) release(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.isGone { // it died right after its answer
		return
	}
	if e.f.retired && len(e.f.waiting) == 0 {
		go e.child.kill() // not under the lock
		return
	}
	if turn := e.f.nextWaiting(); turn != nil {
		turn <- e
		return
	}
	if e.idle == nil {
		e.idle = time.AfterFunc(p.options.IdleTimeout, func() { p.reap(e) })
	} else {
		e.idle.Reset(p.options.IdleTimeout)
	}
	e.f.idle = append(e.f.idle, e)
}

// reap ends an environment that has been idle for too long, unless it was just taken.
func (p *Platform) reap(e *environment) {
	p.mu.Lock()
	i := slices.Index(e.f.idle, e)
	if i >= 0 {
		e.f.idle = slices.Delete(e.f.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		e.child.kill()
	}
}

// gone passes an ended environment's place to the next waiting event.
func (p *Platform) gone(e *environment) {
	p.mu.Lock()
	e.isGone = true
	if e.idle != nil {
		e.idle.Stop()
	}
	if i := slices.Index(e.f.idle, e); i >= 0 {
		e.f.idle = slices.Delete(e.f.idle, i, i+1)
	}
	p.mu.Unlock()
	p.vacate(e.f)
}

// vacate gives up a place that acquire reserved for a new environment.
func (p *Platform) vacate(f *function) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if turn := f.nextWaiting(); turn != nil {
		turn <- nil
		return
	}
	f.alive--
}

func (f *function) nextWaiting() chan *environment {
	if len(f.waiting) == 0 {
		return nil
	}
	turn := f.waiting[0]
	f.waiting = f.waiting[1:]
	return turn
}

// coldStart starts an environment for an event. If the init fails, it is retried once as part of the invocation and
// within its time-out, as on Lambda.
func (p *Platform) coldStart(inv *invocation) {
	e, failure := p.start(inv, "init", p.options.InitTimeout)
	if failure == nil {
		if e.dispatch(inv) {
			return
		}
		failure = &startFailure{"Runtime.ExitError", e.child.exitReason(), nil, ""}
	}
	p.mu.Lock()
	inv.f.alive++ // the first environment's place was given away when it ended
	p.mu.Unlock()
	inv.began = p.options.Now()
	began := time.Now()
	if e, failure = p.start(inv, "invoke", inv.f.Timeout); failure == nil && e.dispatch(inv) {
		return
	}
	if failure == nil {
		failure = &startFailure{"Runtime.ExitError", e.child.exitReason(), nil, ""}
	}
	inv.duration = time.Since(began)
	if failure.payload != nil {
		inv.answered(answer{payload: failure.payload, isError: true, errorType: failure.errorType})
	}
	inv.fail(failure.errorType, "%s", failure.message)
	p.account(inv)
	p.left(inv)
	inv.settle(failure.log)
}

// startFailure describes why an environment did not start.
type startFailure struct {
	errorType, message string
	payload            []byte // reported by the process itself
	log                string
}

// start starts a process and waits for its first call of "next". On failure it gives up the place in the pool.
func (p *Platform) start(inv *invocation, phase string, limit time.Duration) (*environment, *startFailure) {
	began := time.Now()
	e, err := p.newEnvironment(inv.f)
	if err != nil {
		p.vacate(inv.f)
		return nil, &startFailure{"Runtime.InvalidEntrypoint", err.Error(), nil, err.Error()}
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var failure startFailure
	select {
	case <-e.ready:
		inv.initDuration = time.Since(began)
		return e, nil
	case <-e.dead:
		failure = startFailure{errorType: "Runtime.ExitError", message: e.child.exitReason(), payload: e.reported()}
	case <-timer.C:
		e.child.kill()
		<-e.dead
		failure = startFailure{errorType: "Sandbox.Timedout", message: fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds())}
	}
	e.system(initReport(phase, failure.errorType, time.Since(began)))
	failure.log = e.logTail()
	return nil, &failure
}

// initReport is the platform's line about a failed init.
func initReport(phase, errorType string, took time.Duration) systemLine {
	status, level := ended(errorType, "INFO")
	text := status
	if status == "error" {
		text += "\tError Type: " + errorType
	}
	return systemLine{
		text:  fmt.Sprintf("INIT_REPORT Init Duration: %s ms\tPhase: %s\tStatus: %s", milliseconds(took), phase, text),
		event: "platform.initReport", level: level, record: map[string]any{
			"initializationType": "on-demand", "phase": phase, "status": status, "errorType": errorType,
			"metrics": map[string]float64{"durationMs": float64(took.Microseconds()) / 1000},
		},
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}
