package presence_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	devices = 3  // of the user, at once
	visits  = 3  // of each device, one after the other
	asked   = 40 // times by a concurrent caller, at most
	settled = 20 // times by a concurrent caller, and by the stream's consumer, at most
)

// live lets the devices of a user come and go at once, while one goroutine keeps asking and another follows the stream.
func (h *history) live(t tb, seed uint64) {
	var coming, others sync.WaitGroup
	var over atomic.Bool
	for n := range devices {
		coming.Go(func() { newDevice(h, seed, uint64(n)).live(t) })
	}
	repeat := func(most int, do func()) {
		others.Go(func() {
			for n := 0; n < most && !over.Load(); n++ {
				do()
			}
		})
	}
	repeat(asked, func() { h.ask(t) })
	repeat(settled, func() {
		if err := h.store.Settle(context.Background(), "1234", h.Now()); err != nil {
			t.Errorf("settle: %v", err)
		}
	})
	repeat(settled, func() { h.follow(t) })
	coming.Wait()
	over.Store(true)
	others.Wait()
	h.followed(t)
	h.ask(t)
}

// device is one device of the user, and the functions that serve it.
type device struct {
	*history
	chance *rand.Rand
	late   []*process // with writes that are still to land
}

func newDevice(h *history, seed, n uint64) *device {
	return &device{history: h, chance: rand.New(rand.NewPCG(seed, n))}
}

func (d *device) live(t tb) {
	for range visits {
		id := d.newConnection()
		if d.givingUp && d.chance.IntN(20) == 0 {
			d.giveUp(t, id, func() { d.ask(t) })
			continue
		}
		opened := d.run(operation{opens, id})
		d.ask(t)
		if !opened || d.chance.IntN(3) == 0 {
			d.land()
		}
		if d.chance.IntN(6) > 0 { // otherwise its $disconnect is lost
			d.close(t, id)
		}
	}
	d.land()
}

// close closes a connection, by up to two functions at once, which are retried if they fail.
func (d *device) close(t tb, id int) {
	var all sync.WaitGroup
	closers := []*device{d}
	if d.chance.IntN(2) == 0 {
		closers = append(closers, newDevice(d.history, d.chance.Uint64(), 0))
	}
	for _, c := range closers {
		all.Go(func() {
			for range 3 {
				if c.run(operation{closes, id}) {
					break
				}
			}
			c.ask(t)
		})
	}
	all.Wait()
	for _, c := range closers[1:] {
		d.late = append(d.late, c.late...)
	}
}

// run carries out an operation, some of whose calls fail, and reports whether it succeeded.
func (d *device) run(o operation) bool {
	p := d.begin(o)
	for !p.ended() {
		for range d.chance.IntN(6) {
			runtime.Gosched()
		}
		p.step(d.fate())
	}
	if len(p.underWay) > 0 {
		d.late = append(d.late, p)
	}
	return p.err == nil
}

// fate is how a call ends; usually well.
func (d *device) fate() fate {
	fates := []fate{dieBefore, dieAfter, refuse, lie, lose, late}
	if n := d.chance.IntN(8 * len(fates)); n < len(fates) {
		return fates[n]
	}
	return goOn
}

func (d *device) land() {
	for _, p := range d.late {
		p.land()
	}
	d.late = nil
}
