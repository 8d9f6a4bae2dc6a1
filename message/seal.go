package message

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
)

// Whoever may send to the queue could write a state, and a forged one would move metrics and receipts, or withhold a
// message from some of its users. So send seals the states that it writes: the attribute's value, its label, is a seal,
// a space and the state's JSON. The seal covers the whole record, so that no state passes for another message's.

// Key seals states. Only send can read it; its id says which of several keys sealed a label.
type Key struct {
	ID     int // 0 to 9999
	Secret []byte
}

// noSeal holds the place of a seal: the key's id, a dot, and an HMAC-SHA256 in base64.
const noSeal = "0000.0000000000000000000000000000000000000000000"

var seal = regexp.MustCompile(`^([0-9]{4})\.[A-Za-z0-9_-]{43} `)

// Label returns the value of the attribute that carries the state, not yet sealed.
func (s *State) Label() string { return noSeal + " " + s.Text() }

// Seal returns the label with a seal for this attribute of a record with this text and body beside it.
func (k Key) Seal(attribute, label, text string, aside []byte) string {
	state := label[len(noSeal):]
	mac := hmac.New(sha256.New, k.Secret)
	for _, part := range [][]byte{[]byte(attribute), []byte(state), []byte(text), aside} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // so that no part can end elsewhere
		mac.Write(part)
	}
	return fmt.Sprintf("%04d.%s%s", k.ID, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), state)
}

// Sealed reports whether the key sealed the label, for this attribute of this record.
func (k Key) Sealed(attribute, label, text string, aside []byte) bool {
	return seal.MatchString(label) && hmac.Equal([]byte(k.Seal(attribute, label, text, aside)), []byte(label))
}

// KeyOf returns the id of the key that a label claims to be sealed with; false if the label has no seal.
func KeyOf(label string) (int, bool) {
	parts := seal.FindStringSubmatch(label)
	if parts == nil {
		return 0, false
	}
	id, err := strconv.Atoi(parts[1])
	return id, err == nil
}
