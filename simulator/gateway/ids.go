package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"regexp"
)

// resourceID returns an id in the form of API Gateway's resource ids: lower-case letters and digits.
func resourceID(length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, length)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

// connectionIDs matches the form of connection ids, as requestID makes them.
var connectionIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{15}=$`)

// requestID returns an id in the form used for requests, messages and connections: 15 characters of base64 and "=".
func requestID() string {
	var b [11]byte
	_, _ = rand.Read(b[:])
	return base64.URLEncoding.EncodeToString(b[:])
}
