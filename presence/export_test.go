package presence

// OnlinePartition is where the index lists a user who is online.
func OnlinePartition(u UserID) string { return onlinePartition(shard(string(u))) }
