package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"
)

// A receipt handle is opaque to clients. It encodes the message's id (16 bytes), the number of the receive (8 bytes)
// and a checksum with the queue's ARN (4 bytes), so that a handle that was never issued, or belongs to another queue,
// can be distinguished from one that is merely outdated.

const handleSize = 16 + 8 + 4

// makeHandle returns the handle of one receive of one message.
func makeHandle(queueARN string, id MessageID, receipt uint64) string {
	raw := uuid.MustParse(string(id)) // made by uuid.NewString
	b := binary.BigEndian.AppendUint64(raw[:], receipt)
	b = binary.BigEndian.AppendUint32(b, checksum(queueARN, b))
	return base64.StdEncoding.EncodeToString(b)
}

// parseHandle decodes a handle; the error is ReceiptHandleIsInvalid.
func parseHandle(queueARN, handle string) (MessageID, uint64, error) {
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil || len(b) != handleSize || binary.BigEndian.Uint32(b[24:]) != checksum(queueARN, b[:24]) {
		return "", 0, errHandle(handle)
	}
	return MessageID(uuid.UUID(b[:16]).String()), binary.BigEndian.Uint64(b[16:]), nil
}

// checksum binds a handle to its queue. It guards against mistakes, not against forgery.
func checksum(queueARN string, b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(queueARN)), crc32.IEEETable, b)
}
