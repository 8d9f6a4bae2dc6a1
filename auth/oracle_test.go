package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"heliograph"
)

// oracle is a second implementation of the verifier for HMAC tokens, written from the RFCs with the standard library
// alone. It reports whether a token passes, and for which user.
func oracle(token, secret string) (user string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > MaxTokenBytes {
		return "", false
	}
	var header, claims map[string]json.RawMessage
	if header, ok = oracleObject(parts[0]); !ok {
		return "", false
	}
	if claims, ok = oracleObject(parts[1]); !ok {
		return "", false
	}
	var algorithm string
	if _, critical := header["crit"]; critical || json.Unmarshal(header["alg"], &algorithm) != nil {
		return "", false
	}
	digest, ok := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[algorithm]
	if !ok {
		return "", false
	}
	mac := hmac.New(digest, []byte(secret))
	if len(secret) < mac.Size() { // RFC 7518, section 3.2
		return "", false
	}
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) != parts[2] {
		return "", false
	}
	if exp, ok := oracleSeconds(claims["exp"]); !ok || exp <= start.Unix() {
		return "", false
	}
	if raw, there := claims["nbf"]; there {
		if nbf, ok := oracleSeconds(raw); !ok || nbf > start.Add(clockSkew).Unix() {
			return "", false
		}
	}
	return oracleUser(claims["userId"])
}

// oracleObject reads a part JSON token by JSON token, unlike the verifier's decoder.
func oracleObject(part string) (map[string]json.RawMessage, bool) {
	document, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || base64.RawURLEncoding.EncodeToString(document) != part || !utf8.Valid(document) || !json.Valid(document) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(document))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if _, twice := members[name.(string)]; twice || d.Decode(&value) != nil {
			return nil, false
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err = d.Token()
	return members, err == io.EOF
}

func oracleSeconds(raw json.RawMessage) (int64, bool) {
	if len(raw) == 0 || !strings.ContainsAny(string(raw[:1]), "-0123456789") {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	return int64(seconds), err == nil && seconds >= 0 && seconds <= 253402300799
}

func oracleUser(raw json.RawMessage) (string, bool) {
	user := string(raw)
	if strings.HasPrefix(user, `"`) {
		if json.Unmarshal(raw, &user) != nil {
			return "", false
		}
	} else if strings.Trim(user, "-0123456789") != "" {
		return "", false
	}
	return user, user != "" && len(user) <= heliograph.MaxUserID && !strings.Contains(user, "\uFFFD")
}

// tokenSeeds are headers and claims on which two verifiers could disagree.
var tokenSeeds = []struct{ header, claims string }{
	{`{"alg":"HS256"}`, `{"userId":"1234","exp":2016239022}`},
	{`{"alg":"HS384"}`, `{"userId":1234,"exp":2016239022.5,"nbf":1}`},
	{` {"alg":"HS512","crit":[]} `, "\t{\"userId\":\"a\",\"exp\":2016239022}\n"},
	{`{"alg":"HS256","alg":"none"}`, `{"userId":"1","exp":2016239022,"\u0065xp":1}`},
	{`{"alg":"HS256"}`, `{"userId":"1","exp":2016239022}{"userId":"2"}`},
	{`{"alg":"HS256"}]`, `{"userId":"\ud800","exp":1e9,"nbf":-1}x`},
	{`{"alg":"HS256","kid":7}`, `{"userId":-0,"exp":9e9,"nbf":"1"}`},
	{`null`, `null`},
}

// FuzzAgainstOracle proves that the verifier passes the tokens that the oracle passes, for the same user, and no
// others. The tokens are signed properly, with the secret and the algorithm that choice selects; tail is appended.
func FuzzAgainstOracle(f *testing.F) {
	for i, seed := range tokenSeeds {
		f.Add(seed.header, seed.claims, byte(i), "")
		f.Add(seed.header, seed.claims, byte(i)+3, "")
	}
	f.Add(`{"alg":"HS256"}`, `{"userId":"1234","exp":2016239022}`, byte(0), "A")
	secrets := []string{secret, secret + otherSecret}
	verifiers := []*Verifier{newBench("", map[string]string{parameter: secrets[0]}).Verifier, newBench("", map[string]string{parameter: secrets[1]}).Verifier}
	f.Fuzz(func(t *testing.T, header, claims string, choice byte, tail string) {
		secret, v := secrets[choice/3%2], verifiers[choice/3%2]
		text := encode([]byte(header)) + "." + encode([]byte(claims))
		mac := hmac.New([]func() hash.Hash{sha256.New, sha512.New384, sha512.New}[choice%3], []byte(secret))
		mac.Write([]byte(text))
		token := text + "." + encode(mac.Sum(nil)) + tail
		want, passes := oracle(token, secret)
		got, err := v.Verify(context.Background(), Token(token))
		if passes != (err == nil) || (passes && string(got.UserID) != want) {
			t.Errorf("Verify(%q, %q) = %+v, %v; the oracle says %q, %v", header, claims, got, err, want, passes)
		}
		if err == nil && !got.Expires.After(start) || got.Expires.After(time.Unix(lastSecond, 0)) {
			t.Errorf("the token ends at %v", got.Expires)
		}
	})
}
