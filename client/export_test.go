package client

// SetRandom replaces the chance in the wait before a reconnect.
func SetRandom(c *Client, random func() float64) { c.random = random }
