package heliograph

// SecretBytes returns how many bytes of a shared secret count: all of them, except that a text that is written several
// times counts once, since whoever guesses at secrets tries "xxxx…" and "passwordpassword…" early.
func SecretBytes(secret string) int {
	for period := 1; period <= len(secret)/2; period++ {
		if secret[period:] == secret[:len(secret)-period] {
			return period
		}
	}
	return len(secret)
}
