package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
)

// TestVerifySeedToken proves that a token that clients of the replaced system hold today passes, though its iat is
// years ahead.
func TestVerifySeedToken(t *testing.T) {
	t.Parallel()
	got, err := secretVerifier(Rules{}).Verify(context.Background(), seedToken)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if diff := cmp.Diff(Identity{UserID: "1234", Expires: time.Unix(2016239022, 0)}, got); diff != "" {
		t.Errorf("Identity (-want +got):\n%s", diff)
	}
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	issued := Rules{Issuer: "https://id.example", Audience: "heliograph"}
	tests := map[string]struct {
		rules  Rules
		method jwt.SigningMethod // HS256 if nil
		claims jwt.MapClaims
		want   heliograph.UserID
	}{
		"iat ahead":                         {claims: jwt.MapClaims{"iat": start.AddDate(7, 0, 0).Unix()}, want: "1234"},
		"iat no number":                     {claims: jwt.MapClaims{"iat": "yesterday"}, want: "1234"},
		"nbf now":                           {claims: jwt.MapClaims{"nbf": start.Unix()}, want: "1234"},
		"nbf within the skew":               {claims: jwt.MapClaims{"nbf": start.Add(clockSkew).Unix()}, want: "1234"},
		"exp one second ahead":              {claims: jwt.MapClaims{"exp": start.Add(time.Second).Unix()}, want: "1234"},
		"exp with a fraction":               {claims: jwt.MapClaims{"exp": float64(start.Unix()) + 3600.5}, want: "1234"},
		"issuer and audience":               {rules: issued, claims: jwt.MapClaims{"iss": "https://id.example", "aud": "heliograph"}, want: "1234"},
		"one audience of several":           {rules: issued, claims: jwt.MapClaims{"iss": "https://id.example", "aud": []string{"x", "heliograph"}}, want: "1234"},
		"any issuer and audience":           {claims: jwt.MapClaims{"iss": "x", "aud": "y"}, want: "1234"},
		"another claim":                     {rules: Rules{UserIDClaim: "sub"}, claims: jwt.MapClaims{"sub": "ada", "userId": nil}, want: "ada"},
		"user id a number":                  {claims: jwt.MapClaims{"userId": json.Number("1234")}, want: "1234"},
		"user id a long number":             {claims: jwt.MapClaims{"userId": json.Number("12345678901234567891")}, want: "12345678901234567891"},
		"user id of 256 bytes":              {claims: jwt.MapClaims{"userId": strings.Repeat("ä", 128)}, want: heliograph.UserID(strings.Repeat("ä", 128))},
		"a member that repeats deep within": {claims: jwt.MapClaims{"realm": json.RawMessage(`{"a":1,"a":2}`)}, want: "1234"},
		"user id with spaces":               {claims: jwt.MapClaims{"userId": " Ада \n"}, want: " Ада \n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.method == nil {
				test.method = jwt.SigningMethodHS256
			}
			token := sign(t, test.method, []byte(secret), with(test.claims), nil)
			got, err := secretVerifier(test.rules).Verify(context.Background(), token)
			if err != nil || got.UserID != test.want {
				t.Errorf("Verify = %+v, %v, want user %q", got, err, test.want)
			}
		})
	}
}

// TestSecretSizes proves that each HMAC algorithm takes secrets as long as its hash, and no shorter ones.
func TestSecretSizes(t *testing.T) {
	t.Parallel()
	long := rand.Text() + rand.Text() + rand.Text()
	for method, size := range map[jwt.SigningMethod]int{
		jwt.SigningMethodHS256: 32, jwt.SigningMethodHS384: 48, jwt.SigningMethodHS512: 64,
	} {
		for length := MinSecretBytes; length <= 65; length++ {
			b := newBench("", map[string]string{parameter: long[:length]})
			want := ReasonAlgorithm
			if length >= size {
				want = ""
			}
			_, err := b.Verify(context.Background(), sign(t, method, []byte(long[:length]), with(nil), nil))
			if got := reasonOf(err); got != want {
				t.Errorf("%s with %d bytes: rejected for %q, want %q", method.Alg(), length, got, want)
			}
		}
	}
}

func TestVerifyRejectsClaims(t *testing.T) {
	t.Parallel()
	issued := Rules{Issuer: "https://id.example", Audience: "heliograph"}
	tests := map[string]struct {
		rules  Rules
		claims jwt.MapClaims
		want   Reason
	}{
		"expired":                      {claims: jwt.MapClaims{"exp": start.Add(-time.Hour).Unix()}, want: ReasonExpired},
		"expired this second":          {claims: jwt.MapClaims{"exp": start.Unix()}, want: ReasonExpired},
		"exp zero":                     {claims: jwt.MapClaims{"exp": 0}, want: ReasonExpired},
		"expired and of another":       {rules: issued, claims: jwt.MapClaims{"exp": 1, "iss": "x"}, want: ReasonExpired},
		"exp missing":                  {claims: jwt.MapClaims{"exp": nil}, want: ReasonClaims},
		"exp no number":                {claims: jwt.MapClaims{"exp": "2033-11-21"}, want: ReasonClaims},
		"exp a number in quotes":       {claims: jwt.MapClaims{"exp": "2016239022"}, want: ReasonClaims},
		"exp in milliseconds":          {claims: jwt.MapClaims{"exp": start.Add(time.Hour).UnixMilli()}, want: ReasonClaims},
		"nbf over the skew":            {claims: jwt.MapClaims{"nbf": start.Add(clockSkew + time.Second).Unix()}, want: ReasonNotYetValid},
		"nbf no number":                {claims: jwt.MapClaims{"nbf": "soon"}, want: ReasonClaims},
		"nbf negative":                 {claims: jwt.MapClaims{"nbf": -1}, want: ReasonClaims},
		"another issuer":               {rules: issued, claims: jwt.MapClaims{"iss": "https://id.example/", "aud": "heliograph"}, want: ReasonIssuer},
		"issuer missing":               {rules: issued, claims: jwt.MapClaims{"aud": "heliograph"}, want: ReasonClaims},
		"issuer no string":             {rules: issued, claims: jwt.MapClaims{"iss": 7, "aud": "heliograph"}, want: ReasonClaims},
		"another audience":             {rules: issued, claims: jwt.MapClaims{"iss": "https://id.example", "aud": []string{"x"}}, want: ReasonAudience},
		"audience missing":             {rules: issued, claims: jwt.MapClaims{"iss": "https://id.example"}, want: ReasonClaims},
		"user id missing":              {claims: jwt.MapClaims{"userId": nil}, want: ReasonUserID},
		"user id in another case":      {claims: jwt.MapClaims{"userId": nil, "UserId": "1234"}, want: ReasonUserID},
		"user id empty":                {claims: jwt.MapClaims{"userId": ""}, want: ReasonUserID},
		"user id of 257 bytes":         {claims: jwt.MapClaims{"userId": strings.Repeat("x", 257)}, want: ReasonUserID},
		"user id a number of 257":      {claims: jwt.MapClaims{"userId": json.Number(strings.Repeat("7", 257))}, want: ReasonUserID},
		"user id with a fraction":      {claims: jwt.MapClaims{"userId": json.Number("1234.0")}, want: ReasonUserID},
		"user id with an exponent":     {claims: jwt.MapClaims{"userId": json.Number("1234e0")}, want: ReasonUserID},
		"user id a list":               {claims: jwt.MapClaims{"userId": []string{"1234"}}, want: ReasonUserID},
		"user id true":                 {claims: jwt.MapClaims{"userId": true}, want: ReasonUserID},
		"user id of broken UTF-8":      {claims: jwt.MapClaims{"userId": json.RawMessage("\"12\xff34\"")}, want: ReasonMalformed},
		"user id of half a character":  {claims: jwt.MapClaims{"userId": json.RawMessage(`"12\ud80034"`)}, want: ReasonUserID},
		"user id the replacement sign": {claims: jwt.MapClaims{"userId": "12\uFFFD"}, want: ReasonUserID},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := signRaw(t, with(test.claims))
			_, err := secretVerifier(test.rules).Verify(context.Background(), token)
			if got := reasonOf(err); got != test.want {
				t.Errorf("rejected for %q, want %q", got, test.want)
			}
		})
	}
}

// signRaw signs claims that the JSON encoder would correct: it writes raw messages byte for byte.
func signRaw(t *testing.T, claims jwt.MapClaims) Token {
	t.Helper()
	var members []string
	for name, value := range claims {
		text, ok := value.(json.RawMessage)
		if !ok {
			var err error
			if text, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		members = append(members, `"`+name+`":`+string(text))
	}
	return assemble(t, `{"alg":"HS256"}`, "{"+strings.Join(members, ",")+"}")
}

// assemble signs a header and claims as written, valid or not, by HMAC with SHA-256.
func assemble(t testing.TB, header, claims string) Token {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return Token(text + "." + base64.RawURLEncoding.EncodeToString(signature))
}

func TestVerifyRejectsForm(t *testing.T) {
	t.Parallel()
	const claims = `{"userId":"1234","exp":2016239022}`
	unsigned := sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, with(nil), nil)
	tests := map[string]struct {
		token Token
		want  Reason
	}{
		"nothing":                       {"", ReasonMissing},
		"too long":                      {Token(strings.Repeat("a", MaxTokenBytes+1)), ReasonTooLong},
		"longest, but no token":         {Token(strings.Repeat("a", MaxTokenBytes)), ReasonMalformed},
		"two parts":                     {"a.b", ReasonMalformed},
		"five parts, as if encrypted":   {"a.b.c.d.e", ReasonMalformed},
		"three empty parts":             {"..", ReasonMalformed},
		"no base64url":                  {"a+b.c/d.e=", ReasonMalformed},
		"no JSON":                       {assemble(t, "{", claims), ReasonMalformed},
		"header a list":                 {assemble(t, `["HS256"]`, claims), ReasonMalformed},
		"claims a list":                 {assemble(t, `{"alg":"HS256"}`, `[1]`), ReasonMalformed},
		"claims null":                   {assemble(t, `{"alg":"HS256"}`, `null`), ReasonMalformed},
		"claims empty":                  {assemble(t, `{"alg":"HS256"}`, ``), ReasonMalformed},
		"a letter behind the claims":    {assemble(t, `{"alg":"HS256"}`, claims+"x"), ReasonMalformed},
		"a zero byte behind the claims": {assemble(t, `{"alg":"HS256"}`, claims+"\x00"), ReasonMalformed},
		"a brace behind the claims":     {assemble(t, `{"alg":"HS256"}`, claims+"}"), ReasonMalformed},
		"a comma behind the claims":     {assemble(t, `{"alg":"HS256"}`, claims+","), ReasonMalformed},
		"claims twice":                  {assemble(t, `{"alg":"HS256"}`, claims+claims), ReasonMalformed},
		"claims of two lines":           {assemble(t, `{"alg":"HS256"}`, claims+"\n"+`{"userId":"5678"}`), ReasonMalformed},
		"a byte order mark":             {assemble(t, `{"alg":"HS256"}`, "\ufeff"+claims), ReasonMalformed},
		"a letter behind the header":    {assemble(t, `{"alg":"HS256"}x`, claims), ReasonMalformed},
		"header twice":                  {assemble(t, `{"alg":"HS256"}{"alg":"HS256"}`, claims), ReasonMalformed},
		"header null":                   {assemble(t, `null`, claims), ReasonMalformed},
		"header of broken UTF-8":        {assemble(t, "{\"alg\":\"HS256\",\"typ\":\"\xff\"}", claims), ReasonMalformed},
		"kid of broken UTF-8":           {assemble(t, "{\"alg\":\"HS256\",\"kid\":\"\xc3\x28\"}", claims), ReasonMalformed},
		"a header's name of broken":     {assemble(t, "{\"alg\":\"HS256\",\"\xff\":1}", claims), ReasonMalformed},
		"a claim of broken UTF-8":       {assemble(t, `{"alg":"HS256"}`, "{\"userId\":\"1\",\"exp\":2016239022,\"name\":\"\xe2\x28\xa1\"}"), ReasonMalformed},
		"a claim's name of broken":      {assemble(t, `{"alg":"HS256"}`, "{\"userId\":\"1\",\"exp\":2016239022,\"\xff\":1}"), ReasonMalformed},
		"broken UTF-8 deep within":      {assemble(t, `{"alg":"HS256"}`, "{\"userId\":\"1\",\"exp\":2016239022,\"a\":[{\"b\":\"\xff\"}]}"), ReasonMalformed},
		"UTF-8 written longer":          {assemble(t, `{"alg":"HS256"}`, "{\"userId\":\"\xc1\x81\",\"exp\":2016239022}"), ReasonMalformed},
		"alg twice":                     {assemble(t, `{"alg":"none","alg":"HS256"}`, claims), ReasonMalformed},
		"alg twice, once escaped":       {assemble(t, `{"alg":"HS256","\u0061lg":"HS256"}`, claims), ReasonMalformed},
		"user id twice":                 {assemble(t, `{"alg":"HS256"}`, `{"userId":"1","exp":2016239022,"userId":"2"}`), ReasonMalformed},
		"exp twice, once escaped":       {assemble(t, `{"alg":"HS256"}`, `{"userId":"1","exp":2016239022,"\u0065xp":2016239023}`), ReasonMalformed},
		"a line break in the signature": {seedToken + "\n", ReasonMalformed},
		"a spare bit in the signature":  {Token(seedToken[:len(seedToken)-1] + "x"), ReasonMalformed}, // w and x differ only in spare bits
		"alg none":                      {unsigned, ReasonAlgorithm},
		"alg none with a signature":     {assemble(t, `{"alg":"none"}`, claims), ReasonAlgorithm},
		"alg None":                      {assemble(t, `{"alg":"None"}`, claims), ReasonAlgorithm},
		"alg in lower case":             {assemble(t, `{"alg":"hs256"}`, claims), ReasonAlgorithm},
		"alg missing":                   {assemble(t, `{}`, claims), ReasonAlgorithm},
		"alg no string":                 {assemble(t, `{"alg":256}`, claims), ReasonAlgorithm},
		"alg of the other family":       {assemble(t, `{"alg":"RS256"}`, claims), ReasonAlgorithm},
		"alg ES256":                     {assemble(t, `{"alg":"ES256"}`, claims), ReasonAlgorithm},
		"alg of another length":         {assemble(t, `{"alg":"HS512"}`, claims), ReasonAlgorithm},
		"a critical header":             {assemble(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, claims), ReasonMalformed},
		"another secret":                {hs256(t, otherSecret, with(nil)), ReasonSignature},
		"no signature":                  {Token(seedToken[:strings.LastIndex(seedToken, ".")+1]), ReasonSignature},
		"a key of its own in the header": {
			sign(t, jwt.SigningMethodHS256, []byte(otherSecret), with(nil), map[string]any{
				"jwk": map[string]string{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte(otherSecret))},
			}), ReasonSignature,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := secretVerifier(Rules{}).Verify(context.Background(), test.token)
			if got := reasonOf(err); got != test.want {
				t.Errorf("rejected for %q, want %q", got, test.want)
			}
		})
	}
}

// TestVerifyIgnoresKidOfSecrets proves that a kid is ignored with secrets: issuers send one all the same.
func TestVerifyIgnoresKidOfSecrets(t *testing.T) {
	t.Parallel()
	for _, kid := range []any{"a", 7, nil} {
		token := sign(t, jwt.SigningMethodHS256, []byte(secret), with(nil), map[string]any{"kid": kid})
		if _, err := secretVerifier(Rules{}).Verify(context.Background(), token); err != nil {
			t.Errorf("kid %v: %v", kid, err)
		}
	}
}

// TestVerifyRejectsTampered proves that no change of any kind to a valid token makes another valid token.
func TestVerifyRejectsTampered(t *testing.T) {
	t.Parallel()
	v := secretVerifier(Rules{})
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00"
	rapid.Check(t, func(rt *rapid.T) {
		good := string(hs256(t, secret, with(jwt.MapClaims{"userId": rapid.StringN(1, 20, 100).Filter(func(s string) bool {
			return usable(heliograph.UserID(s))
		}).Draw(rt, "user")})))
		at := rapid.IntRange(0, len(good)-1).Draw(rt, "at")
		letter := string(rapid.SampledFrom([]byte(alphabet)).Draw(rt, "letter"))
		bad := rapid.SampledFrom([]string{
			good[:at] + letter + good[at+1:], // changed
			good[:at] + letter + good[at:],   // added
			good[:at] + good[at+1:],          // removed
			good[:at],                        // cut
			good + letter,
		}).Draw(rt, "bad")
		_, err := v.Verify(context.Background(), Token(bad))
		if want := bad == good; want != (err == nil) {
			rt.Fatalf("Verify(%q) = %v, the good token is %q", bad, err, good)
		}
	})
}

// FuzzVerify proves that Verify never panics, and accepts nothing that was not signed, which excludes every input that
// a fuzzer can find.
func FuzzVerify(f *testing.F) {
	// A secret that signed none of the seeds below, so nothing at all may pass.
	unknown := rand.Text() + rand.Text()
	v := NewVerifier(SecretKeys(newStore(map[string]string{parameter: unknown}), parameter, "", DefaultGrace, newClock().Now), Rules{Now: newClock().Now})
	f.Add(seedToken)
	f.Add("")
	f.Add("..")
	f.Add(string(assemble(f, `{"alg":"none"}`, `{"userId":"1234","exp":2016239022}`)))
	f.Add(string(assemble(f, `{"alg":"HS256","kid":[]}`, `{"exp":1e999,"nbf":-1e999,"userId":1e400}`)))
	f.Fuzz(func(t *testing.T, token string) {
		id, err := v.Verify(context.Background(), Token(token))
		if reason := reasonOf(err); err == nil || strings.HasPrefix(string(reason), "no rejection") {
			t.Errorf("Verify = %+v, %v, want a rejection", id, err)
		}
	})
}

// FuzzClaims proves that signed claims of any kind are either refused or give a valid identity. The issuer is trusted,
// but its software may still be wrong.
func FuzzClaims(f *testing.F) {
	v := secretVerifier(Rules{})
	f.Add(`{"userId":"1234","exp":2016239022}`)
	f.Add(`{"userId":1e400,"exp":1e999,"nbf":-1e999}`)
	f.Add(`{"userId":"\ud800","exp":253402300800,"aud":[[]]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, claims string) {
		if len(claims) > 4000 {
			t.Skip("too long for a token")
		}
		id, err := v.Verify(context.Background(), assemble(t, `{"alg":"HS256"}`, claims))
		switch {
		case err != nil && strings.HasPrefix(string(reasonOf(err)), "no rejection"):
			t.Errorf("Verify: %v, want a rejection", err)
		case err == nil && (!usable(id.UserID) || !id.Expires.After(start) || id.Expires.Unix() > lastSecond):
			t.Errorf("Verify = %+v", id)
		}
	})
}

// TestScope proves which claims contain a scope: a word of a text, or a text of a list, never a part of a word.
func TestScope(t *testing.T) {
	t.Parallel()
	rules := Rules{ScopeClaim: "scp", Scope: "presence:read"}
	tests := map[string]struct {
		rules Rules
		claim any
		want  bool
	}{
		"the word":              {rules, "presence:read", true},
		"one word of several":   {rules, "openid presence:read email", true},
		"one of a list":         {rules, []string{"openid", "presence:read"}, true},
		"missing":               {rules, nil, false},
		"a longer word":         {rules, "presence:readwrite xpresence:read", false},
		"another case":          {rules, "Presence:Read", false},
		"words of a list":       {rules, []string{"openid presence:read"}, false},
		"a list in a list":      {rules, []any{[]any{"presence:read"}}, false},
		"an object":             {rules, map[string]any{"presence:read": true}, false},
		"true":                  {rules, true, false},
		"empty":                 {rules, "", false},
		"no scope wanted":       {Rules{ScopeClaim: "scp"}, "", false},
		"no scope, in a list":   {Rules{ScopeClaim: "scp"}, []string{""}, false},
		"in a claim of another": {Rules{ScopeClaim: "scope", Scope: "presence:read"}, "presence:read", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := secretVerifier(test.rules).Verify(context.Background(), hs256(t, secret, with(jwt.MapClaims{"scp": test.claim})))
			if err != nil || got.Scoped != test.want {
				t.Errorf("Verify = %+v, %v, want scoped: %v", got, err, test.want)
			}
		})
	}
}
