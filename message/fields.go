package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"heliograph"
)

// fields holds the raw values of the known names; empty if the name is missing.
type fields struct {
	user, users, connection, broadcast string
	body, id, expires, receipt, keep   string
	isJSON                             string // of a body that travels beside the text

	aside []byte // the body, if it travels beside the text: see BodyAttribute
}

// set stores a value if its name, given as a JSON string, is known.
func (f *fields) set(literal, value string) *Rejection {
	name, rejection := text("a name", literal)
	if rejection != nil {
		return nil // no known name contains half a surrogate pair
	}
	known, slot := f.slot(name)
	if slot == nil {
		return nil
	}
	if *slot != "" {
		return Reject(ReasonMalformed, known+" is given twice")
	}
	*slot = value
	return nil
}

// slot returns where a name's value is stored and the name's canonical spelling; nil for unknown names.
func (f *fields) slot(name string) (string, *string) {
	for _, known := range []struct {
		name string
		slot *string
	}{
		{"UserId", &f.user},
		{"UserIds", &f.users},
		{"ConnectionId", &f.connection},
		{"Broadcast", &f.broadcast},
		{"Body", &f.body},
		{"Id", &f.id},
		{"ExpiresAt", &f.expires},
		{"Keep", &f.keep},
		{"Receipt", &f.receipt},
		{"BodyIsJSON", &f.isJSON},
	} {
		if equalFold(name, known.name) {
			return known.name, known.slot
		}
	}
	return "", nil
}

// equalFold compares without regard to ASCII case. strings.EqualFold alone also matches the long s (ſ) with s, and a
// name that merely looks similar must not address a user.
func equalFold(name, known string) bool {
	return len(name) == len(known) && strings.EqualFold(name, known)
}

// message decodes the fields, cheap ones first.
func (f *fields) message() (m Message, _ *Rejection) {
	for _, read := range []func(*fields, *Message) *Rejection{
		(*fields).readTarget, (*fields).readID, (*fields).readExpiry, (*fields).readReceipt, (*fields).readKeep,
		(*fields).readBody,
	} {
		if rejection := read(f, &m); rejection != nil {
			return Message{}, rejection
		}
	}
	return m, nil
}

// targets lists the fields that name a target, for error messages.
const targets = "UserId, UserIds, ConnectionId and Broadcast"

func (f *fields) readTarget(m *Message) *Rejection {
	var given []func(*fields, *Message) *Rejection
	var names []string
	for _, target := range []struct {
		name   string
		absent bool
		read   func(*fields, *Message) *Rejection
	}{
		{"UserId", absent(f.user), (*fields).readUser},
		{"UserIds", absent(f.users), (*fields).readUsers},
		{"ConnectionId", absent(f.connection), (*fields).readConnection},
		{"Broadcast", absent(f.broadcast) || f.broadcast == "false", (*fields).readBroadcast},
	} {
		if !target.absent {
			given = append(given, target.read)
			names = append(names, target.name)
		}
	}
	switch {
	case len(given) == 0:
		return Reject(ReasonNoTarget, "none of "+targets+" is given")
	case len(given) > 1:
		// Picking one or combining them would be a guess at the producer's intent.
		return Reject(ReasonSeveralTargets, strings.Join(names, " and ")+" are given, and only one may be")
	}
	return given[0](f, m)
}

func (f *fields) readUser(m *Message) *Rejection {
	user, rejection := userID("UserId", f.user)
	if rejection == nil {
		m.Users = []heliograph.UserID{user}
	}
	return rejection
}

func (f *fields) readUsers(m *Message) *Rejection {
	if f.users[0] != '[' {
		return Reject(ReasonMalformed, "UserIds must be a list")
	}
	seen := map[heliograph.UserID]bool{}
	for raw := range elements(f.users) {
		user, rejection := userID("one of UserIds", raw)
		switch {
		case rejection != nil:
			return rejection
		case seen[user]:
			continue
		case len(m.Users) == MaxUsers:
			return Reject(ReasonTooManyUsers, fmt.Sprintf("UserIds has more than %d users", MaxUsers))
		}
		seen[user] = true
		m.Users = append(m.Users, user)
	}
	if len(m.Users) == 0 {
		return Reject(ReasonNoTarget, "UserIds is empty")
	}
	return nil
}

// userID decodes a user id.
func userID(name, raw string) (heliograph.UserID, *Rejection) {
	user, rejection := text(name, raw)
	switch {
	case rejection != nil:
		return "", rejection
	case user == "":
		return "", Reject(ReasonNoTarget, name+" is empty")
	case len(user) > heliograph.MaxUserID:
		return "", Reject(ReasonUserTooLong, fmt.Sprintf("%s has %d bytes, more than %d", name, len(user), heliograph.MaxUserID))
	}
	return heliograph.UserID(user), nil
}

func (f *fields) readConnection(m *Message) *Rejection {
	id, rejection := text("ConnectionId", f.connection)
	id, m.V1 = cutV1(id)
	switch {
	case rejection != nil:
		return rejection
	case id == "":
		return Reject(ReasonNoTarget, "ConnectionId is empty")
	case len(id) > heliograph.MaxConnectionID:
		return Reject(ReasonMalformed, fmt.Sprintf("ConnectionId has %d bytes, more than %d", len(id), heliograph.MaxConnectionID))
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		// The id becomes part of a URL and of log lines.
		return Reject(ReasonMalformed, "ConnectionId has a character that is not visible ASCII")
	}
	m.Connection = heliograph.ConnectionID(id)
	return nil
}

func (f *fields) readBroadcast(m *Message) (rejection *Rejection) {
	m.Broadcast, rejection = flag("Broadcast", f.broadcast)
	return rejection
}

func (f *fields) readReceipt(m *Message) (rejection *Rejection) {
	if absent(f.receipt) {
		return nil
	}
	if m.Receipt, rejection = flag("Receipt", f.receipt); rejection != nil {
		return rejection
	}
	if m.Receipt && m.ID == "" {
		return Reject(ReasonMalformed, "Receipt needs an Id, which the receipt would name")
	}
	return nil
}

func (f *fields) readKeep(m *Message) *Rejection {
	if absent(f.keep) {
		return nil
	}
	s, rejection := text("Keep", f.keep)
	if rejection != nil {
		return rejection
	}
	keep, err := time.ParseDuration(s)
	switch {
	case err != nil || keep < MinKeep || keep > MaxKeep:
		return Reject(ReasonMalformed, "Keep is not a time from 1s to 168h, such as 90s or 24h")
	case len(m.Users) == 0:
		return Reject(ReasonMalformed, "Keep needs UserId or UserIds: a message is kept for a user")
	}
	m.Keep = keep
	return nil
}

func (f *fields) readID(m *Message) *Rejection {
	if absent(f.id) {
		return nil
	}
	id, rejection := text("Id", f.id)
	switch {
	case rejection != nil:
		return rejection
	case id == "":
		// Ignoring it would silently break a promise that the producer relies on.
		return Reject(ReasonMalformed, "Id is empty")
	case len(id) > MaxID:
		return Reject(ReasonMalformed, fmt.Sprintf("Id has %d bytes, more than %d", len(id), MaxID))
	}
	m.ID = id
	return nil
}

func (f *fields) readExpiry(m *Message) *Rejection {
	if absent(f.expires) {
		return nil
	}
	s, rejection := text("ExpiresAt", f.expires)
	if rejection != nil {
		return rejection
	}
	// RFC 3339 allows lower-case t and z; Go's layout does not.
	at, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil {
		return Reject(ReasonMalformed, "ExpiresAt is not an RFC 3339 time such as 2026-01-02T15:04:05Z")
	}
	m.ExpiresAt = at
	return nil
}

func (f *fields) readBody(m *Message) *Rejection {
	switch {
	case f.aside != nil && f.body != "":
		return Reject(ReasonBadFollowUp, BodyAttribute+" stands beside a Body")
	case f.aside != nil && !utf8.Valid(f.aside):
		return Reject(ReasonBadFollowUp, BodyAttribute+" is not valid UTF-8")
	case f.aside != nil:
		m.Body, m.Value = f.aside, f.isJSON == "true"
	case f.body == "":
		return Reject(ReasonMalformed, "Body is missing")
	case loneSurrogate(f.body):
		return Reject(ReasonMalformed, "Body holds half a surrogate pair, which is not valid UTF-8")
	case f.body[0] == '"':
		body, rejection := text("Body", f.body)
		if rejection != nil {
			return rejection
		}
		m.Body = []byte(body)
	default:
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(f.body)); err != nil {
			return Reject(ReasonMalformed, "Body is not valid JSON")
		}
		m.Body, m.Value = compact.Bytes(), true
	}
	if m.Keep > 0 {
		if n := len(m.Frame(strings.Repeat("x", MaxID), time.Now()).Bytes()) + frameRoom; n > MaxBody {
			return Reject(ReasonTooLarge, fmt.Sprintf("Body takes a frame of up to %d bytes, more than the %d of a message that is kept", n, MaxBody))
		}
	}
	if len(m.Body) > MaxBody {
		return Reject(ReasonTooLarge, fmt.Sprintf("Body has %d bytes, more than %d", len(m.Body), MaxBody))
	}
	return nil
}

// absent reports whether a field is missing or null.
func absent(raw string) bool { return raw == "" || raw == "null" }

// flag decodes a JSON bool.
func flag(name, raw string) (bool, *Rejection) {
	if raw != "true" && raw != "false" {
		return false, Reject(ReasonMalformed, name+" must be true or false")
	}
	return raw == "true", nil
}
