package presence

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"heliograph"
)

// Shards is the number of partitions over which each of the index's two lists is spread. It is a constant: with another
// number, stored items could no longer be found.
const Shards = 16

// Index is the name of the table's index.
const Index = "gsi1"

const (
	userPrefix       = "user#"
	connectionPrefix = "conn#"
	presenceKey      = "presence"
)

// shard spreads ids evenly over the shards, identically in every process and version. It is FNV-1a with its halves
// folded together, since the lowest bits of FNV alone depend only on the lowest bits of the input.
func shard(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	sum := h.Sum32()
	return int((sum>>16 ^ sum) % Shards)
}

// userKey is the partition that holds all items of a user.
func userKey(u heliograph.UserID) string { return userPrefix + string(u) }

// connectionKey is the sort key of a connection.
func connectionKey(c heliograph.ConnectionID) string { return connectionPrefix + string(c) }

// leasePartition is the index partition of a shard of the connections.
func leasePartition(shard int) string { return fmt.Sprintf("lease#%02d", shard) }

// onlinePartition is the index partition of a shard of the online users.
func onlinePartition(shard int) string { return fmt.Sprintf("online#%02d", shard) }

// leaseKey sorts connections by the end of their lease. Ten digits last until 2286.
func leaseKey(ends time.Time, c heliograph.ConnectionID) string {
	return fmt.Sprintf("%010d#%s", ends.Unix(), c)
}

// dueKey sorts above every lease that has ended at a time, and below all others.
func dueKey(now time.Time) string { return fmt.Sprintf("%010d", now.Unix()+1) }

// leaseEnd is the time in a leaseKey; zero if the key is not one.
func leaseEnd(key string) time.Time {
	digits, _, _ := strings.Cut(key, "#")
	ends, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return fromSeconds(ends)
}

// parseConnectionKey extracts the user and the connection from a connection's keys.
func parseConnectionKey(pk, sk string) (heliograph.UserID, heliograph.ConnectionID, bool) {
	user, okUser := strings.CutPrefix(pk, userPrefix)
	id, okID := strings.CutPrefix(sk, connectionPrefix)
	return heliograph.UserID(user), heliograph.ConnectionID(id), okUser && okID
}

// parsePresenceKey extracts the user from a presence item's keys.
func parsePresenceKey(pk, sk string) (heliograph.UserID, bool) {
	user, ok := strings.CutPrefix(pk, userPrefix)
	return heliograph.UserID(user), ok && sk == presenceKey
}
