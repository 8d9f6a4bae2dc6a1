package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// Event is a change of presence, as other systems hear of it.
type Event struct {
	User   heliograph.UserID
	Online bool
	// Version is the epoch of the change. It rises from event to event of a user; two events with the
	// same version are the same one.
	Version int64
	At      time.Time // when the user came or went, in whole milliseconds
}

// Grace is the question, to be asked when the grace period is over, whether a user who went offline at
// an epoch has stayed away.
type Grace struct {
	User  heliograph.UserID `json:"userId"`
	Epoch int64             `json:"epoch"`
}

// Publisher tells other systems of an event. An event may come twice.
type Publisher interface {
	Publish(context.Context, Event) error
}

// GraceQueue hands a Grace back once the grace period is over, at least once.
type GraceQueue interface {
	Queue(context.Context, Grace) error
}

// Announcer announces who came and who went, from the records of the table's stream. Records of one
// item have to come in order, those of different items need not, even if they are of one user: what is
// announced follows from the presence item alone, and what is done about a deleted connection may be
// done at any time. Each record, and each Grace, may come any number of times.
//
// A user who comes is announced at once. For one who goes, the Announcer waits for the grace period, and
// announces nothing if the user is back by then. What is announced is decided by a conditional write,
// then published, then marked as published. Whoever finds a decision that was not published publishes it
// before anything else is decided, so the death of a function loses nothing, and other systems hear of
// coming and going in turn, each with a higher version, if they drop the doubles.
type Announcer struct {
	store     *Store
	publisher Publisher
	queue     GraceQueue
}

// NewAnnouncer returns an Announcer over a store.
func NewAnnouncer(store *Store, publisher Publisher, queue GraceQueue) *Announcer {
	return &Announcer{store: store, publisher: publisher, queue: queue}
}

// Handle does what follows from one record of the table's stream. After an error the record, and those of the same item
// after it, have to come again; but after an *UnreadableError, which will be no different then.
func (a *Announcer) Handle(ctx context.Context, r Record) error {
	if user, ok := r.presence(); ok && !r.Removed() {
		return a.presenceChanged(ctx, user, r)
	}
	if user, id, ok := r.connection(); ok && r.Removed() {
		return a.connectionRemoved(ctx, user, id, r)
	}
	return nil
}

// presenceChanged compares what is so with what was announced. It looks at the state and not at the
// change, so that a record which never came, or came to nothing, is made up for by the next; the
// Announcer's own writes are among those. Only the verification goes by the change: once for each.
func (a *Announcer) presenceChanged(ctx context.Context, user heliograph.UserID, r Record) error {
	before, errBefore := decodePresence(r.Old)
	p, err := decodePresence(r.New)
	if err := errors.Join(errBefore, err); err != nil {
		return err
	}
	if p.Online && !before.Online {
		if untrue, err := a.verify(ctx, user, p); err != nil || untrue {
			return err
		}
	}
	switch {
	case p.Online && !p.Announced:
		return a.announce(ctx, transition{user: user, online: true, epoch: p.Epoch, at: p.OnlineSince})
	case !p.Online && p.Announced:
		if err := a.queue.Queue(ctx, Grace{User: user, Epoch: p.Epoch}); err != nil {
			return fmt.Errorf("queue the end of the grace period: %w", err)
		}
	}
	return nil
}

// verify takes back that a user came online if that was without a connection, and tells whether it did.
//
// A connect writes the connection first. Where that was deleted by the time of the second write, by a $disconnect that
// ran in between, or by the sweep because the write was under way for so long, no lease is left to end, and who settled
// the presence did so too early. Nothing but a connect's second write makes a user online, so the record of that
// change is the one place to find out. It is no matter for the grace period: a user who was announced as online before,
// and is taken back now, goes offline by a record of its own.
func (a *Announcer) verify(ctx context.Context, user heliograph.UserID, came presenceItem) (untrue bool, err error) {
	untrue, err = observability.Trace(ctx, "presence.verify", func(ctx context.Context) (bool, error) {
		return a.store.verify(ctx, user, came)
	})
	if untrue {
		observability.Log(ctx).Info("a user came online without a connection, and is offline again",
			"user", observability.HashUser(string(user)))
	}
	return untrue, err
}

// connectionRemoved goes the disconnect path once more, after whoever deleted the connection. It mends
// what is left by a function that died between the deletion and the presence, and is the only one to
// act on a removal by the table's time to live.
func (a *Announcer) connectionRemoved(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID, r Record) error {
	lastActivity := r.Created
	if r.Expired {
		c, err := decodeConnection(r.Old)
		if err != nil {
			return err
		}
		lastActivity = c.LastKnownActivity()
		observability.Add(ctx, catalogue.ConnectionsClosed, 1)
		observability.Log(ctx).Warn("a connection was closed by its time to live: the sweep lags",
			"connectionId", string(id), "user", observability.HashUser(string(user)))
	}
	return a.store.Settle(ctx, user, lastActivity)
}

// GraceOver announces that a user has gone, unless the user is back. An error means that the Grace has
// to come again.
func (a *Announcer) GraceOver(ctx context.Context, g Grace) error {
	return a.announce(ctx, transition{user: g.User, epoch: g.Epoch})
}

// announce announces a transition if it still is one, and first of all what was decided before it and
// never published.
func (a *Announcer) announce(ctx context.Context, t transition) error {
	return observability.Step(ctx, "presence.announce", func(ctx context.Context) error {
		for {
			decided, err := a.store.setAnnounced(ctx, t)
			if err == nil {
				return a.publish(ctx, decided.event(t.user))
			}
			refused, ok := errors.AsType[*notAnnouncedError](err)
			if !ok {
				return err
			}
			if again, err := a.resume(ctx, t, refused.found); err != nil || !again {
				return err
			}
		}
	})
}

// resume deals with a transition that was refused, and tells whether to try it again. What was decided and not
// published comes first, be it this very transition or another: whoever decided died, or is about to publish, and
// twice is better than never.
func (a *Announcer) resume(ctx context.Context, t transition, found presenceItem) (again bool, err error) {
	if !found.Unpublished {
		a.heldBack(ctx, t, found)
		return false, nil
	}
	if err := a.publish(ctx, found.event(t.user)); err != nil {
		return false, err
	}
	return found.AnnouncedEpoch != t.epoch, nil
}

// heldBack counts the users who were away for less than the grace period.
func (a *Announcer) heldBack(ctx context.Context, t transition, found presenceItem) {
	if !t.online && found.AnnouncedEpoch != t.epoch {
		observability.Add(ctx, catalogue.EventsHeldBack, 1)
	}
}

// publish publishes an event and marks it as published.
func (a *Announcer) publish(ctx context.Context, e Event) error {
	if err := a.publisher.Publish(ctx, e); err != nil {
		return fmt.Errorf("publish presence event: %w", err)
	}
	direction, metric := "offline", catalogue.UsersWentOffline
	if e.Online {
		direction, metric = "online", catalogue.UsersCameOnline
	}
	observability.Add(ctx, metric, 1)
	observability.Log(ctx).Info("presence event published",
		"user", observability.HashUser(string(e.User)), "transition", direction, "version", e.Version)
	return a.store.markPublished(ctx, e)
}
