package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Time is a timestamp member: Unix seconds in JSON, ISO 8601 in the query protocol, a tagged number in CBOR.
type Time struct{ time.Time }

// MarshalJSON writes Unix seconds with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.seconds()) }

// UnmarshalJSON reads Unix seconds.
func (t *Time) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return fmt.Errorf("a timestamp must be a number of Unix seconds: %w", err)
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}

func (t Time) seconds() float64 { return float64(t.UnixMilli()) / 1000 }
