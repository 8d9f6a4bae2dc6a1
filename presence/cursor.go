package presence

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"heliograph"
)

// A cursor is where the next page of the online list starts: after a user, in order of shard and then user id. It names
// a user rather than a position, so it stays valid whoever comes and goes, that user included.
//
// It is encoded as a version, a checksum and the user id, in URL-safe base64 without padding. The checksum is no
// secret, since a cursor grants no rights; it catches cursors that were truncated, mistyped or assembled by hand.

const (
	cursorVersion = 1
	cursorHeader  = 1 + 4 // version, checksum
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// encodeCursor returns the cursor that continues after a user.
func encodeCursor(after heliograph.UserID) string {
	raw := binary.BigEndian.AppendUint32([]byte{cursorVersion}, cursorSum(after))
	return cursorEncoding.EncodeToString(append(raw, after...))
}

// decodeCursor decodes a cursor, or returns an *InvalidError. The empty cursor is the start of the list.
func decodeCursor(cursor string) (heliograph.UserID, error) {
	if cursor == "" {
		return "", nil
	}
	invalid := &InvalidError{Field: "cursor", Reason: "is not one that this service gave out"}
	if len(cursor) > cursorEncoding.EncodedLen(cursorHeader+heliograph.MaxUserID) || strings.ContainsAny(cursor, "\r\n") {
		return "", invalid // Go's decoder skips line ends
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

// cursorSum hashes more than the user id, so that the sum cannot be confused with the shard's hash.
func cursorSum(after heliograph.UserID) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte("cursor#" + after)) // a hash never fails
	return h.Sum32()
}
