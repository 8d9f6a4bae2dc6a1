package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

// A receipt handle is opaque to clients. Inside it are the message's id (16 bytes), the number of the
// receive (8 bytes) and a checksum with the queue's ARN (4 bytes), so that a handle which was never given
// out, or belongs to another queue, is told from one that is merely old.

const handleSize = 16 + 8 + 4

// makeHandle is the handle of one receive of one message.
func makeHandle(queueARN string, id MessageID, receipt uint64) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(string(id), "-", "")) // made by newMessageID
	b = binary.BigEndian.AppendUint64(b, receipt)
	b = binary.BigEndian.AppendUint32(b, checksum(queueARN, b))
	return base64.StdEncoding.EncodeToString(b)
}

// parseHandle takes a handle apart; the error is ReceiptHandleIsInvalid.
func parseHandle(queueARN, handle string) (MessageID, uint64, error) {
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil || len(b) != handleSize || binary.BigEndian.Uint32(b[24:]) != checksum(queueARN, b[:24]) {
		return "", 0, errHandle(handle)
	}
	return formatID(b[:16]), binary.BigEndian.Uint64(b[16:]), nil
}

// checksum binds a handle to its queue. It guards against mistakes, not against forgers.
func checksum(queueARN string, b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(queueARN)), crc32.IEEETable, b)
}

// newMessageID is a random UUID.
func newMessageID() MessageID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return formatID(b[:])
}

// formatID writes 16 bytes as a UUID.
func formatID(b []byte) MessageID {
	h := hex.EncodeToString(b)
	return MessageID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}
