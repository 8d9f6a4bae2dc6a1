package presence

import "heliograph"

// OnlinePartition is where the index lists a user who is online.
func OnlinePartition(u heliograph.UserID) string { return onlinePartition(shard(string(u))) }

// LeasePartition is where the index lists the lease of a connection.
func LeasePartition(c heliograph.ConnectionID) string { return leasePartition(shard(string(c))) }
