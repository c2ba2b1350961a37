package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/netra-systems/switchboard"
)

const (
	audience = "switchboard"
	maxToken = 4 << 10 // bytes
	keyKey   = "key."
	firstKey = "1"
)

// claims are what a token says (RFC 7519): iss, aud, sub (the user id), exp, iat, jti and the session.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// keyRecord is the record of a signing key, under key.<number>. The highest number signs, all verify: to rotate, add
// the next number; to revoke, delete.
type keyRecord struct {
	ID      string           `json:"id"`   // the kid of its tokens
	Seed    []byte           `json:"seed"` // RFC 8032 §5.1.5
	Created switchboard.Time `json:"created"`
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
}

func parseKey(value []byte) (signingKey, error) {
	var r keyRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return signingKey{}, err
	}
	if r.ID == "" || len(r.Seed) != ed25519.SeedSize {
		return signingKey{}, errors.New("auth: not a signing key")
	}
	return signingKey{r.ID, ed25519.NewKeyFromSeed(r.Seed)}, nil
}

// openKeys reads the signing keys. The first start makes one; nodes that start together agree on one.
func (a *Authority) openKeys(ctx context.Context) error {
	for try := 0; ; try++ {
		err := a.records.List(ctx, strings.TrimSuffix(keyKey, "."), func(key string, value []byte, _ uint64) error {
			if _, err := parseKey(value); err != nil {
				return switchboard.Wrap(switchboard.Internal, "a signing key cannot be read", err)
			}
			a.known.apply(key, value, 0)
			return nil
		})
		if err != nil {
			return err
		}
		if _, ok := a.known.signer(); ok {
			return nil
		}
		if try == maxTries {
			return switchboard.Errorf(switchboard.Unavailable, "there is no signing key")
		}
		r := keyRecord{ID: rand.Text(), Seed: make([]byte, ed25519.SeedSize), Created: switchboard.At(time.Now())}
		rand.Read(r.Seed)
		v, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = a.records.Create(ctx, keyKey+firstKey, v)
		if err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
			return err
		}
	}
}

// sign writes a token as a JWS with EdDSA (RFC 8037).
func (a *Authority) sign(user switchboard.UserID, sid string, now, expires time.Time) (string, error) {
	key, ok := a.known.signer()
	if !ok {
		return "", switchboard.Errorf(switchboard.Unavailable, "there is no signing key")
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: a.cfg.Issuer, Subject: string(user), Audience: jwt.ClaimStrings{audience}, ID: rand.Text(),
			ExpiresAt: jwt.NewNumericDate(expires), IssuedAt: jwt.NewNumericDate(now),
		},
		Session: sid,
	})
	t.Header["kid"] = key.id
	s, err := t.SignedString(key.private)
	if err != nil {
		return "", switchboard.Wrap(switchboard.Internal, "the token cannot be signed", err)
	}
	return s, nil
}

// parse checks form, signature and claims of a token. Of the header only alg and kid are looked at: keys come from our
// own table and nowhere else (RFC 8725 §3.10).
func (a *Authority) parse(token string) (claims, bool) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return claims{}, false
	}
	p := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(a.cfg.Issuer),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
	)
	var c claims
	_, err := p.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if key, ok := a.known.verifier(kid); ok {
			return key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	if err != nil || c.Session == "" {
		return claims{}, false
	}
	if _, err := switchboard.ParseUserID(c.Subject); err != nil {
		return claims{}, false
	}
	return c, true
}
