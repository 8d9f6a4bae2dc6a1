package auth

import (
	"context"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// provider is an identity provider as docs/authorization.md configures it, and the claims of its tokens as its
// documentation shows them.
type provider struct {
	rules  Rules
	header map[string]any
	claims jwt.MapClaims
	user   heliograph.UserID
	scope  string // one that the token has, for a backend
}

// providers are those of docs/authorization.md.
var providers = map[string]provider{
	// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
	"Cognito, access token": {
		rules: Rules{
			UserIDClaim: "sub", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
			Audience: "1example23456789", AudienceClaim: "client_id", ScopeClaim: "scope",
		},
		claims: jwt.MapClaims{
			"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
			"client_id": "1example23456789", "origin_jti": "o", "event_id": "e", "token_use": "access",
			"scope": "openid presence/read", "auth_time": 1, "jti": "j", "username": "ada", "cognito:groups": []string{"g"},
		},
		user: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", scope: "presence/read",
	},
	// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html
	"Cognito, ID token": {
		rules: Rules{UserIDClaim: "sub", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example", Audience: "1example23456789"},
		claims: jwt.MapClaims{
			"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
			"aud": "1example23456789", "token_use": "id", "email_verified": true, "cognito:username": "ada", "auth_time": 1,
		},
		user: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
	},
	// https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
	"Auth0": {
		rules:  Rules{UserIDClaim: "sub", Issuer: "https://tenant.auth0.com/", Audience: "https://push.example", ScopeClaim: "permissions"},
		header: map[string]any{"typ": "at+jwt"},
		claims: jwt.MapClaims{
			"iss": "https://tenant.auth0.com/", "sub": "auth0|123456", "azp": "client",
			"aud":   []string{"https://push.example", "https://tenant.auth0.com/userinfo"},
			"scope": "openid profile", "permissions": []string{"presence:read"},
		},
		user: "auth0|123456", scope: "presence:read",
	},
	// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
	"Entra ID": {
		rules: Rules{
			UserIDClaim: "oid", Issuer: "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
			Audience: "00001111-aaaa-2222-bbbb-3333cccc4444", ScopeClaim: "roles",
		},
		claims: jwt.MapClaims{
			"iss": "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0", "ver": "2.0",
			"aud": "00001111-aaaa-2222-bbbb-3333cccc4444", "sub": "pairwise", "oid": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
			"tid": "aaaabbbb-0000-cccc-1111-dddd2222eeee", "azp": "client", "scp": "access_as_user", "roles": []string{"Presence.Read"},
		},
		user: "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb", scope: "Presence.Read",
	},
	// https://www.keycloak.org/docs/latest/server_admin/#audience-support
	"Keycloak": {
		rules: Rules{UserIDClaim: "sub", Issuer: "https://id.example/realms/main", Audience: "heliograph", ScopeClaim: "scope"},
		claims: jwt.MapClaims{
			"iss": "https://id.example/realms/main", "aud": []string{"heliograph", "account"}, "typ": "Bearer", "azp": "app",
			"sub": "f:1:ada", "scope": "email profile presence:read", "realm_access": map[string]any{"roles": []string{"r"}},
		},
		user: "f:1:ada", scope: "presence:read",
	},
	// https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
	"Firebase": {
		rules: Rules{UserIDClaim: "sub", Issuer: "https://securetoken.google.com/project", Audience: "project"},
		claims: jwt.MapClaims{
			"iss": "https://securetoken.google.com/project", "aud": "project", "auth_time": 1, "user_id": "u1", "sub": "u1",
			"firebase": map[string]any{"identities": map[string]any{}, "sign_in_provider": "custom"},
		},
		user: "u1",
	},
}

// TestProviders proves that the documented configuration of each identity provider takes its tokens, with the right user
// and scope, and refuses those of another issuer, those for another application, and those without an audience.
func TestProviders(t *testing.T) {
	t.Parallel()
	for name, p := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, published, c := newIssuer(t, publish("k", rsaKey().Public()).but(member{"use": "sig", "alg": "RS256"}))
			rules := p.rules
			rules.Now, rules.Scope = c.Now, p.scope
			v := NewVerifier(published.keys, rules)
			header := map[string]any{"kid": "k"}
			for name, value := range p.header {
				header[name] = value
			}
			verify := func(changes jwt.MapClaims) (Identity, Reason) {
				claims := with(p.claims)
				delete(claims, "userId")
				for name, value := range changes {
					claims[name] = value
				}
				id, err := v.Verify(context.Background(), sign(t, jwt.SigningMethodRS256, rsaKey(), claims, header))
				return id, reasonOf(err)
			}
			if id, reason := verify(nil); reason != "" || id.UserID != p.user || id.Scoped != (p.scope != "") {
				t.Errorf("rejected for %q, identity %+v, want user %q", reason, id, p.user)
			}
			audience := v.rules.AudienceClaim
			for _, bad := range []struct {
				claims jwt.MapClaims
				want   Reason
			}{
				{jwt.MapClaims{"iss": "https://another.example"}, ReasonIssuer},
				{jwt.MapClaims{audience: "another"}, ReasonAudience},
				{jwt.MapClaims{audience: []string{"another"}}, ReasonAudience},
				{jwt.MapClaims{audience: nil}, ReasonClaims},
				{jwt.MapClaims{rules.UserIDClaim: nil}, ReasonUserID},
			} {
				if _, reason := verify(bad.claims); reason != bad.want {
					t.Errorf("%v: rejected for %q, want %q", bad.claims, reason, bad.want)
				}
			}
		})
	}
}

// TestTokensOfAnotherUse proves that a Cognito ID token does not pass for an access token, nor the other way round,
// although the same keys sign both (RFC 8725, section 3.12).
func TestTokensOfAnotherUse(t *testing.T) {
	t.Parallel()
	_, published, c := newIssuer(t, publish("k", rsaKey().Public()))
	access, id := providers["Cognito, access token"], providers["Cognito, ID token"]
	for _, swapped := range []struct {
		rules  Rules
		claims jwt.MapClaims
	}{{access.rules, id.claims}, {id.rules, access.claims}} {
		rules := swapped.rules
		rules.Now = c.Now
		_, err := NewVerifier(published.keys, rules).Verify(context.Background(),
			sign(t, jwt.SigningMethodRS256, rsaKey(), with(swapped.claims), map[string]any{"kid": "k"}))
		if got := reasonOf(err); got != ReasonClaims {
			t.Errorf("rejected for %q, want %q", got, ReasonClaims)
		}
	}
}
