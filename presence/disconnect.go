package presence

import (
	"context"
	"errors"
	"time"
)

// Disconnect closes a connection: it is the one path for a device that disconnected, one that delivery
// found gone, one that the sweep found dead. It deletes the connection, and if that was the user's
// last, makes the user offline with the given last activity. It does nothing if all that is done
// already, so it may be repeated, and run before its own connect.
//
// lastActivity is when the connection was last known to be alive: now for a device that said goodbye,
// Connection.LastKnownActivity for one that did not.
func (s *Store) Disconnect(ctx context.Context, user UserID, id ConnectionID, lastActivity time.Time) error {
	return errors.New("not built yet")
}
