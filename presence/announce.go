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

// Event is a change of presence, as published to other systems.
type Event struct {
	User   heliograph.UserID
	Online bool
	// Version is the epoch of the change. It rises with every event of a user; two events with the same version are
	// duplicates.
	Version int64
	At      time.Time // when the user came or went, in whole milliseconds
}

// Grace asks, once the grace period is over, whether a user who went offline at an epoch has stayed away.
type Grace struct {
	User  heliograph.UserID `json:"userId"`
	Epoch int64             `json:"epoch"`
}

// Publisher publishes an event to other systems. An event may be published twice.
type Publisher interface {
	Publish(context.Context, Event) error
}

// GraceQueue delivers a Grace once the grace period is over, at least once.
type GraceQueue interface {
	Queue(context.Context, Grace) error
}

// Announcer announces users' coming and going from the records of the table's stream. Records of one item must arrive
// in order; records of different items need not, even for the same user: announcements follow from the presence item
// alone, and a deleted connection may be handled at any time. Each record, and each Grace, may arrive any number of
// times.
//
// Coming online is announced at once. For a user going offline, the Announcer waits for the grace period, and announces
// nothing if the user is back by then. A conditional write decides an announcement; the event is then published, then
// marked as published. Any invocation that finds an unpublished decision publishes it before deciding anything else. So
// a function that dies loses nothing, and subscribers that drop duplicates see coming and going alternate, each with a
// higher version.
type Announcer struct {
	store     *Store
	publisher Publisher
	queue     GraceQueue
}

// NewAnnouncer returns an Announcer for a store.
func NewAnnouncer(store *Store, publisher Publisher, queue GraceQueue) *Announcer {
	return &Announcer{store: store, publisher: publisher, queue: queue}
}

// Handle processes one record of the table's stream. After an error, the record and those after it of the same item
// must be delivered again; the exception is *UnreadableError, which a retry cannot fix.
func (a *Announcer) Handle(ctx context.Context, r Record) error {
	if user, ok := r.presence(); ok && !r.Removed() {
		return a.presenceChanged(ctx, user, r)
	}
	if user, id, ok := r.connection(); ok && r.Removed() {
		return a.connectionRemoved(ctx, user, id, r)
	}
	return nil
}

// presenceChanged compares the current state with the last announcement. It looks at the state rather than the change,
// so the next record makes up for one that was lost or whose handling failed; the Announcer's own writes produce such
// records. Only the verification depends on the change: it runs once for each.
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

// verify reverts a change to online that happened without a connection, and reports whether it did.
//
// A connect writes the connection first. If that item is deleted before the second write, by a concurrent $disconnect
// or, after a long delay, by the sweep, no lease is left to expire, and the deleter settled the presence too early.
// Only a connect's second write makes a user online, so the record of that change is the one place to find out. The
// grace period does not matter here: a user who was announced as online earlier and is reverted now goes offline by a
// record of its own.
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

// connectionRemoved runs the disconnect path again after a deletion. It repairs what a function leaves behind when it
// dies between deleting the connection and updating the presence, and it is the only handling of a removal by the
// table's time to live.
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

// GraceOver announces that a user has gone, unless the user is back. After an error the Grace must be delivered again.
func (a *Announcer) GraceOver(ctx context.Context, g Grace) error {
	return a.announce(ctx, transition{user: g.User, epoch: g.Epoch})
}

// announce announces a transition if it still holds, after publishing any earlier decision that was left unpublished.
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

// resume handles a transition that was refused, and reports whether to retry it. An unpublished decision comes first,
// whether it is this transition or another: the function that decided it died, or is about to publish, and publishing
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

// heldBack counts users who were away for less than the grace period.
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
