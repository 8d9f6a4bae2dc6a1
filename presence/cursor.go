package presence

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"heliograph"
)

// A cursor is where the next page of the online list starts: after a user, in the order of the shards
// and then of the user ids. It names a user and no position, so that it stays good whoever comes and
// goes, that user included.
//
// Written out it is a version, a checksum and the user id, in URL-safe base64 without padding. The
// checksum is no secret, since a cursor gives no rights; it finds those that were cut, mistyped or
// put together by hand.

const (
	cursorVersion = 1
	cursorHeader  = 1 + 4 // version, checksum
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// encodeCursor writes the cursor that continues after a user.
func encodeCursor(after heliograph.UserID) string {
	raw := binary.BigEndian.AppendUint32([]byte{cursorVersion}, cursorSum(after))
	return cursorEncoding.EncodeToString(append(raw, after...))
}

// decodeCursor reads a cursor, or returns an *InvalidError. The empty cursor is the start of the list.
func decodeCursor(cursor string) (heliograph.UserID, error) {
	if cursor == "" {
		return "", nil
	}
	invalid := &InvalidError{Field: "cursor", Reason: "is not one that this service gave out"}
	if len(cursor) > cursorEncoding.EncodedLen(cursorHeader+heliograph.MaxUserID) || strings.ContainsAny(cursor, "\r\n") {
		return "", invalid // Go's decoder passes over line ends
	}
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) < cursorHeader || raw[0] != cursorVersion {
		return "", invalid
	}
	after := heliograph.UserID(raw[cursorHeader:])
	if after.Check() != nil || binary.BigEndian.Uint32(raw[1:]) != cursorSum(after) {
		return "", invalid
	}
	return after, nil
}

// cursorSum is over more than the user id, so that nobody takes the hash for the shard's.
func cursorSum(after heliograph.UserID) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte("cursor#" + after)) // a hash never fails
	return h.Sum32()
}
