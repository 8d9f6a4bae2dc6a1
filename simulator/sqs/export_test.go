package sqs

// SetMaxInFlight changes the limit of messages in flight and gives what it was, so that a test need not
// send 120,000.
func (s *Server) SetMaxInFlight(n int) (was int) {
	was, s.maxInFlight = s.maxInFlight, n
	return was
}
