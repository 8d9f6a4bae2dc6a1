package heliograph

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// UserID names a user, as the token's claim gives it: 1 to MaxUserID bytes of UTF-8.
type UserID string

// ConnectionID names a connection, as API Gateway gives it.
type ConnectionID string

// The longest ids, in bytes.
const (
	// MaxUserID: a user id is part of a key of the table's index, where DynamoDB allows 1,024.
	MaxUserID = 256
	// MaxConnectionID: API Gateway's connection ids have 12 to 16 characters today; nothing promises that.
	MaxConnectionID = 128
)

// Check returns an error that says what is wrong with a user id, to be read after the id's name; it never
// repeats the id. Each process that takes an id from outside checks it by this rule, so that all of them accept the same ids.
func (u UserID) Check() error { return check(string(u), MaxUserID) }

// Check returns an error that says what is wrong with a connection id, as UserID's Check does.
func (c ConnectionID) Check() error { return check(string(c), MaxConnectionID) }

func check(id string, longest int) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case len(id) > longest:
		return fmt.Errorf("has %d bytes, more than %d", len(id), longest)
	case !utf8.ValidString(id):
		return errors.New("is not valid UTF-8")
	}
	return nil
}
