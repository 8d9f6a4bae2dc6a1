package sqs

// SetMaxInFlight sets the limit of messages in flight and returns the previous one, so that a test need not send
// 120,000.
func (s *Server) SetMaxInFlight(n int) (was int) {
	was, s.maxInFlight = s.maxInFlight, n
	return was
}
