package presence

import "heliograph"

// OnlinePartition is the index partition that lists a user who is online.
func OnlinePartition(u heliograph.UserID) string { return onlinePartition(shard(string(u))) }

// LeasePartition is the index partition that lists the lease of a connection.
func LeasePartition(c heliograph.ConnectionID) string { return leasePartition(shard(string(c))) }
