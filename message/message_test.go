package message

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
)

func users(ids ...string) []heliograph.UserID {
	var all []heliograph.UserID
	for _, id := range ids {
		all = append(all, heliograph.UserID(id))
	}
	return all
}

// numbers returns n user ids: 0, 1 and so on.
func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}

// jsonList returns the ids of numbers as JSON.
func jsonList(n int) string {
	text, _ := json.Marshal(numbers(n))
	return string(text)
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxBody)
	tests := []struct {
		name, text string
		want       Message
	}{
		{"plain", `{"UserId":"1234","Body":"hello"}`, Message{Users: users("1234"), Body: []byte("hello")}},
		{"any case", `{"USERID":"1234","body":"hello"}`, Message{Users: users("1234"), Body: []byte("hello")}},
		{"escaped names", `{"User\u0049d":"1234","\u0042ody":"hello"}`, Message{Users: users("1234"), Body: []byte("hello")}},
		{"white space around all", " \t\r\n{ \"UserId\" : \"1234\" , \"Body\" : \"hello\" } \n", Message{Users: users("1234"), Body: []byte("hello")}},
		{"escapes in the body", `{"UserId":"1","Body":"\"q\" \\ \/ \n \u00e9 \ud83d\ude00"}`, Message{Users: users("1"), Body: []byte("\"q\" \\ / \n é 😀")}},
		{"escaped backslash before u", `{"UserId":"1","Body":"\\ud83d"}`, Message{Users: users("1"), Body: []byte(`\ud83d`)}},
		{"HTML in the body", `{"UserId":"1","Body":"<a href='x'>&</a>"}`, Message{Users: users("1"), Body: []byte("<a href='x'>&</a>")}},
		{"JSON text as string", `{"UserId":"1","Body":"{\"a\": 1}"}`, Message{Users: users("1"), Body: []byte(`{"a": 1}`)}},
		{"empty body", `{"UserId":"1","Body":""}`, Message{Users: users("1"), Body: []byte{}}},
		{"largest body", `{"UserId":"1","Body":"` + long + `"}`, Message{Users: users("1"), Body: []byte(long)}},
		{"longest user", `{"UserId":"` + long[:heliograph.MaxUserID] + `","Body":"b"}`, Message{Users: users(long[:heliograph.MaxUserID]), Body: []byte("b")}},
		{"object", `{"UserId":"1","Body": { "b" : [ 1 , 2 ], "a":"<&>" } }`, Message{Users: users("1"), Body: []byte(`{"b":[1,2],"a":"<&>"}`), Value: true}},
		{"members that repeat inside the body", `{"UserId":"1","Body":{"a":1,"A":2,"a":3}}`, Message{Users: users("1"), Body: []byte(`{"a":1,"A":2,"a":3}`), Value: true}},
		{"numbers verbatim", `{"UserId":"1","Body":[1.0, 1e400, -0, 12345678901234567890]}`, Message{Users: users("1"), Body: []byte(`[1.0,1e400,-0,12345678901234567890]`), Value: true}},
		{"escapes inside JSON verbatim", `{"UserId":"1","Body":["\u003c\ud83d\ude00\\ud83d"]}`, Message{Users: users("1"), Body: []byte(`["\u003c\ud83d\ude00\\ud83d"]`), Value: true}},
		{"number", `{"UserId":"1","Body":1.50}`, Message{Users: users("1"), Body: []byte("1.50"), Value: true}},
		{"false", `{"UserId":"1","Body":false}`, Message{Users: users("1"), Body: []byte("false"), Value: true}},
		{"null", `{"UserId":"1","Body":null}`, Message{Users: users("1"), Body: []byte("null"), Value: true}},
		{"deepest", `{"UserId":"1","Body":` + nested(MaxDepth-1) + `}`, Message{Users: users("1"), Body: []byte(nested(MaxDepth - 1)), Value: true}},
		{"brackets in strings are not depth", `{"UserId":"1","Body":"\"` + strings.Repeat("[", 300) + `"}`, Message{Users: users("1"), Body: []byte(`"` + strings.Repeat("[", 300))}},
		{"unknown fields", `{"x":1,"X":{"UserId":"2"},"x":3,"UserId":"1","Body":"b","UserIdentity":0}`, Message{Users: users("1"), Body: []byte("b")}},
		{"names that only look alike", `{"Uſerid":"2","UserId":"1","Body":"b"}`, Message{Users: users("1"), Body: []byte("b")}},
		{"id", `{"UserId":"1","Body":"b","id":"m-1"}`, Message{Users: users("1"), Body: []byte("b"), ID: "m-1"}},
		{"expiry", `{"UserId":"1","Body":"b","ExpiresAt":"2026-01-02T03:04:05.678Z"}`, Message{Users: users("1"), Body: []byte("b"), ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)}},
		{"expiry with offset, lower case", `{"UserId":"1","Body":"b","ExpiresAt":"2026-01-02t05:04:05+02:00"}`, Message{Users: users("1"), Body: []byte("b"), ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{"several users", `{"UserIds":["2","1","é"],"Body":"b"}`, Message{Users: users("2", "1", "é"), Body: []byte("b")}},
		{"one of several", `{"userids" : [ "1" ] ,"Body":"b"}`, Message{Users: users("1"), Body: []byte("b")}},
		{"users that come twice", `{"UserIds":["b","a","\u0062","b","c","a"],"Body":"b"}`, Message{Users: users("b", "a", "c"), Body: []byte("b")}},
		{"users in another case", `{"UserIds":["a","A"],"Body":"b"}`, Message{Users: users("a", "A"), Body: []byte("b")}},
		{"most users", `{"UserIds":` + jsonList(MaxUsers) + `,"Body":"b"}`, Message{Users: users(numbers(MaxUsers)...), Body: []byte("b")}},
		{"most users, many times", `{"UserIds":[` + strings.Repeat(strings.Trim(jsonList(MaxUsers), "[]")+",", 9) + `"0"],"Body":"b"}`, Message{Users: users(numbers(MaxUsers)...), Body: []byte("b")}},
		{"longest users", `{"UserIds":["` + long[:heliograph.MaxUserID] + `","1"],"Body":"b"}`, Message{Users: users(long[:heliograph.MaxUserID], "1"), Body: []byte("b")}},
		{"connection", `{"ConnectionId":"L0SM9cOFvHcCIhw=","Body":"b"}`, Message{Connection: "L0SM9cOFvHcCIhw=", Body: []byte("b")}},
		{"connection of v1", `{"ConnectionId":"v1:L0SM9cOFvHcCIhw=","Body":"b"}`, Message{Connection: "L0SM9cOFvHcCIhw=", V1: true, Body: []byte("b")}},
		{"longest connection", `{"connectionID":"` + long[:heliograph.MaxConnectionID] + `","Body":"b"}`, Message{Connection: heliograph.ConnectionID(long[:heliograph.MaxConnectionID]), Body: []byte("b")}},
		{"broadcast", `{"BROADCAST":true,"Body":"b"}`, Message{Broadcast: true, Body: []byte("b")}},
		{"targets that are not there", `{"UserId":null,"UserIds":["1"],"ConnectionId":null,"Broadcast":false,"Body":"b"}`, Message{Users: users("1"), Body: []byte("b")}},
		{"null for all but a connection", `{"UserId":null,"UserIds":null,"ConnectionId":"c","Broadcast":null,"Body":"b"}`, Message{Connection: "c", Body: []byte("b")}},
		{"receipt", `{"UserId":"1","Body":"b","Id":"m-1","receipt":true}`, Message{Users: users("1"), Body: []byte("b"), ID: "m-1", Receipt: true}},
		{"no receipt", `{"UserId":"1","Body":"b","Receipt":false}`, Message{Users: users("1"), Body: []byte("b")}},
		{"null for a receipt", `{"UserId":"1","Body":"b","Receipt":null}`, Message{Users: users("1"), Body: []byte("b")}},
		{"all that SQS takes", `{"UserId":"1","Body":"b","x":"` + strings.Repeat("x", 256<<10-33) + `"}`, Message{Users: users("1"), Body: []byte("b")}},
		{"all that the parser takes", `{"UserId":"1","Body":"b","x":"` + strings.Repeat("x", MaxMessage-33) + `"}`, Message{Users: users("1"), Body: []byte("b")}},
		{"null id and expiry", `{"UserId":"1","Body":"b","Id":null,"ExpiresAt":null}`, Message{Users: users("1"), Body: []byte("b")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, rejection := Parse(test.text)
			if rejection != nil {
				t.Fatalf("rejected: %s", rejection)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxBody+1)
	tests := []struct {
		name, text, want string
	}{
		{"nothing", ``, "malformed: not valid JSON at byte 0"},
		{"no JSON", `hello`, "malformed: not valid JSON at byte 1"},
		{"cut off", `{"UserId":"1","Body":"b`, "malformed: not valid JSON at byte 23"},
		{"comma at the end", `{"UserId":"1","Body":"b",}`, "malformed: not valid JSON at byte 26"},
		{"not an object", `["UserId","Body"]`, "malformed: the message must be a JSON object"},
		{"a string", `"UserId"`, "malformed: the message must be a JSON object"},
		{"two objects", `{"UserId":"1","Body":"b"}{}`, "malformed: not valid JSON at byte 26"},
		{"byte order mark", "\uFEFF" + `{"UserId":"1","Body":"b"}`, "malformed: not valid JSON at byte 1"},
		{"NUL behind", `{"UserId":"1","Body":"b"}` + "\x00", "malformed: not valid JSON at byte 26"},
		{"too deep", `{"UserId":"1","Body":` + nested(MaxDepth) + `}`, "malformed: nested deeper than 128"},
		{"far too deep in an unknown field", `{"x":` + strings.Repeat("[", 500_000), "malformed: nested deeper than 128"},
		{"too large to parse", strings.Repeat(" ", MaxMessage+1), "body-too-large: the message has 1048577 bytes, more than 1048576"},
		{"invalid UTF-8 in the body", "{\"UserId\":\"1\",\"Body\":\"\xff\"}", "malformed: not valid UTF-8"},
		{"invalid UTF-8 in an unknown field", "{\"UserId\":\"1\",\"Body\":\"b\",\"x\":\"\xc3\"}", "malformed: not valid UTF-8"},
		{"half a pair", `{"UserId":"1","Body":"\ud83d"}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair in an object", `{"UserId":"1","Body":{"a":["b","\ud83d"]}}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair in a name", `{"UserId":"1","Body":{"\ude00":1}}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"halves in two strings", `{"UserId":"1","Body":["\ud83d","\ude00"]}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair before text", `{"UserId":"1","Body":"\uD83Dabcdefgh"}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"the other half", `{"UserId":"1","Body":"a\uDE00"}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"halves the wrong way round", `{"UserId":"1","Body":"\ude00\ud83d"}`, "malformed: Body holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair in the user", `{"UserId":"\ud83d","Body":"b"}`, "malformed: UserId holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair in one of the users", `{"UserIds":["1","\ude00"],"Body":"b"}`, "malformed: one of UserIds holds half a surrogate pair, which is not valid UTF-8"},
		{"half a pair in the connection", `{"ConnectionId":"\ud83d","Body":"b"}`, "malformed: ConnectionId holds half a surrogate pair, which is not valid UTF-8"},
		{"user and users", `{"UserId":"1","UserIds":["1"],"Body":"b"}`, "several-targets: UserId and UserIds are given, and only one may be"},
		{"user and connection", `{"ConnectionId":"c","UserId":"1","Body":"b"}`, "several-targets: UserId and ConnectionId are given, and only one may be"},
		{"users and broadcast", `{"UserIds":["1"],"Broadcast":true,"Body":"b"}`, "several-targets: UserIds and Broadcast are given, and only one may be"},
		{"connection and broadcast", `{"ConnectionId":"c","Broadcast":true,"Body":"b"}`, "several-targets: ConnectionId and Broadcast are given, and only one may be"},
		{"user and no users", `{"UserId":"1","UserIds":[],"Body":"b"}`, "several-targets: UserId and UserIds are given, and only one may be"},
		{"empty user and connection", `{"UserId":"","ConnectionId":"c","Body":"b"}`, "several-targets: UserId and ConnectionId are given, and only one may be"},
		{"users in two cases", `{"UserIds":["1"],"USERIDS":null,"Body":"b"}`, "malformed: UserIds is given twice"},
		{"no broadcast", `{"Broadcast":false,"Body":"b"}`, "no-target: none of UserId, UserIds, ConnectionId and Broadcast is given"},
		{"no users", `{"UserIds":[ ],"Body":"b"}`, "no-target: UserIds is empty"},
		{"an empty one of the users", `{"UserIds":["1",""],"Body":"b"}`, "no-target: one of UserIds is empty"},
		{"empty connection", `{"ConnectionId":"","Body":"b"}`, "no-target: ConnectionId is empty"},
		{"text for users", `{"UserIds":"1","Body":"b"}`, "malformed: UserIds must be a list"},
		{"an object for users", `{"UserIds":{"1":"2"},"Body":"b"}`, "malformed: UserIds must be a list"},
		{"false for users", `{"UserIds":false,"Body":"b"}`, "malformed: UserIds must be a list"},
		{"false for a user", `{"UserId":false,"Body":"b"}`, "malformed: UserId must be a string"},
		{"a number among the users", `{"UserIds":["1",2],"Body":"b"}`, "malformed: one of UserIds must be a string"},
		{"null among the users", `{"UserIds":[null],"Body":"b"}`, "malformed: one of UserIds must be a string"},
		{"a list among the users", `{"UserIds":[["1"]],"Body":"b"}`, "malformed: one of UserIds must be a string"},
		{"a number for a connection", `{"ConnectionId":1,"Body":"b"}`, "malformed: ConnectionId must be a string"},
		{"a connection that is none", `{"ConnectionId":"a b","Body":"b"}`, "malformed: ConnectionId has a character that is not visible ASCII"},
		{"a connection beyond ASCII", `{"ConnectionId":"é","Body":"b"}`, "malformed: ConnectionId has a character that is not visible ASCII"},
		{"a connection with a line break", `{"ConnectionId":"a\n","Body":"b"}`, "malformed: ConnectionId has a character that is not visible ASCII"},
		{"connection too long", `{"ConnectionId":"` + long[:heliograph.MaxConnectionID+1] + `","Body":"b"}`, "malformed: ConnectionId has 129 bytes, more than 128"},
		{"text for a broadcast", `{"Broadcast":"true","Body":"b"}`, "malformed: Broadcast must be true or false"},
		{"a number for a broadcast", `{"Broadcast":1,"Body":"b"}`, "malformed: Broadcast must be true or false"},
		{"one user too many", `{"UserIds":` + jsonList(MaxUsers+1) + `,"Body":"b"}`, "too-many-users: UserIds has more than 1000 users"},
		{"far too many users", `{"UserIds":` + jsonList(100_000) + `,"Body":"b"}`, "too-many-users: UserIds has more than 1000 users"},
		{"one of the users too long", `{"UserIds":["1","` + long[:heliograph.MaxUserID+1] + `"],"Body":"b"}`, "user-id-too-long: one of UserIds has 257 bytes, more than 256"},
		{"a huge user", `{"UserId":"` + long + `","Body":"b"}`, "user-id-too-long: UserId has 131073 bytes, more than 256"},
		{"a huge name", `{"` + long + `":"1","Body":"b"}`, "no-target: none of UserId, UserIds, ConnectionId and Broadcast is given"},
		{"deep users", `{"UserIds":` + nested(MaxDepth) + `,"Body":"b"}`, "malformed: nested deeper than 128"},
		{"invalid UTF-8 in one of the users", "{\"UserIds\":[\"\xc3\"],\"Body\":\"b\"}", "malformed: not valid UTF-8"},
		{"receipt without an id", `{"UserId":"1","Body":"b","Receipt":true}`, "malformed: Receipt needs an Id, which the receipt would name"},
		{"receipt with a null id", `{"UserId":"1","Body":"b","Receipt":true,"Id":null}`, "malformed: Receipt needs an Id, which the receipt would name"},
		{"text for a receipt", `{"UserId":"1","Body":"b","Id":"m","Receipt":"true"}`, "malformed: Receipt must be true or false"},
		{"no user", `{"Body":"b"}`, "no-target: none of UserId, UserIds, ConnectionId and Broadcast is given"},
		{"null user", `{"UserId":null,"Body":"b"}`, "no-target: none of UserId, UserIds, ConnectionId and Broadcast is given"},
		{"empty user", `{"UserId":"","Body":"b"}`, "no-target: UserId is empty"},
		{"number for a user", `{"UserId":1234,"Body":"b"}`, "malformed: UserId must be a string"},
		{"list for a user", `{"UserId":["1"],"Body":"b"}`, "malformed: UserId must be a string"},
		{"user too long", `{"UserId":"` + long[:heliograph.MaxUserID+1] + `","Body":"b"}`, "user-id-too-long: UserId has 257 bytes, more than 256"},
		{"user too long in bytes", `{"UserId":"` + strings.Repeat("é", 129) + `","Body":"b"}`, "user-id-too-long: UserId has 258 bytes, more than 256"},
		{"no body", `{"UserId":"1"}`, "malformed: Body is missing"},
		{"body too large", `{"UserId":"1","Body":"` + long + `"}`, "body-too-large: Body has 131073 bytes, more than 131072"},
		{"JSON body too large", `{"UserId":"1","Body":["` + long + `"]}`, "body-too-large: Body has 131077 bytes, more than 131072"},
		{"one name twice", `{"UserId":"1","UserId":"1","Body":"b"}`, "malformed: UserId is given twice"},
		{"one name in two cases", `{"UserId":"1","Body":"b","BODY":"c"}`, "malformed: Body is given twice"},
		{"null does not hide the second", `{"UserId":"1","Body":"b","Id":null,"ID":null}`, "malformed: Id is given twice"},
		{"number for an id", `{"UserId":"1","Body":"b","Id":7}`, "malformed: Id must be a string"},
		{"empty id", `{"UserId":"1","Body":"b","Id":""}`, "malformed: Id is empty"},
		{"id too long", `{"UserId":"1","Body":"b","Id":"` + long[:MaxID+1] + `"}`, "malformed: Id has 257 bytes, more than 256"},
		{"number for an expiry", `{"UserId":"1","Body":"b","ExpiresAt":1767323045}`, "malformed: ExpiresAt must be a string"},
		{"no time", `{"UserId":"1","Body":"b","ExpiresAt":"tomorrow"}`, "malformed: ExpiresAt is not an RFC 3339 time such as 2026-01-02T15:04:05Z"},
		{"a time without zone", `{"UserId":"1","Body":"b","ExpiresAt":"2026-01-02T03:04:05"}`, "malformed: ExpiresAt is not an RFC 3339 time such as 2026-01-02T15:04:05Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, rejection := Parse(test.text)
			if rejection == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if diff := cmp.Diff(test.want, rejection.String()); diff != "" {
				t.Errorf("rejection (-want +got):\n%s", diff)
			}
		})
	}
}

func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

// TestParseRoundTrip proves that a message survives any producer's encoder: any target, any body as a string, names
// in any case, members in any order, white space anywhere.
func TestParseRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Message{
			Body:    []byte(rapid.String().Draw(t, "body")),
			ID:      rapid.StringN(0, -1, MaxID).Draw(t, "id"),
			Receipt: rapid.Bool().Draw(t, "receipt"),
		}
		members := []string{drawTarget(t, &want), member(t, "Body", string(want.Body)), member(t, "Unknown", "x")}
		if want.ID != "" {
			members = append(members, member(t, "Id", want.ID))
		}
		if want.Receipt = want.Receipt && want.ID != ""; want.Receipt || rapid.Bool().Draw(t, "receipt is named") {
			members = append(members, member(t, "Receipt", want.Receipt))
		}
		text := "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
		got, rejection := Parse(text)
		if rejection != nil {
			t.Fatalf("%s\nrejected: %s", text, rejection)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\nmessage (-want +got):\n%s", text, diff)
		}
	})
}

// drawTarget gives the message a target, and returns the JSON member for it.
func drawTarget(t *rapid.T, m *Message) string {
	ids := rapid.Map(rapid.StringN(1, -1, heliograph.MaxUserID), func(id string) heliograph.UserID { return heliograph.UserID(id) })
	switch rapid.SampledFrom([]string{"user", "users", "connection", "all"}).Draw(t, "target") {
	case "user":
		m.Users = []heliograph.UserID{ids.Draw(t, "user")}
		return member(t, "UserId", m.Users[0])
	case "users":
		m.Users = rapid.SliceOfNDistinct(ids, 1, 20, rapid.ID[heliograph.UserID]).Draw(t, "users")
		return member(t, "UserIds", append(m.Users[:len(m.Users):len(m.Users)], m.Users[0]))
	case "connection":
		m.Connection = heliograph.ConnectionID(rapid.StringMatching(`[!-~]{1,128}`).Draw(t, "connection"))
		return member(t, "ConnectionId", m.Connection)
	default:
		m.Broadcast = true
		return member(t, "Broadcast", true)
	}
}

// member writes a member with its name in random case and its value as encoding/json would write it, with or without
// HTML escapes.
func member(t *rapid.T, name string, value any) string {
	cased := []rune(name)
	for i, upper := range rapid.SliceOfN(rapid.Bool(), len(cased), len(cased)).Draw(t, "case of "+name) {
		if upper {
			cased[i] = unicode.ToUpper(cased[i])
		} else {
			cased[i] = unicode.ToLower(cased[i])
		}
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded) // ends with a newline, which is white space between tokens
	encoder.SetEscapeHTML(rapid.Bool().Draw(t, "escape HTML"))
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	space := rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space")
	return space + `"` + string(cased) + `"` + space + ":" + space + encoded.String()
}
