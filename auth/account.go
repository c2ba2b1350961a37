package auth

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

// Role says what an account may do.
type Role string

// The roles; each may do what the later ones may.
const (
	Admin    Role = "admin"
	Operator Role = "operator"
	Member   Role = "user"
)

var roles = []Role{Admin, Operator, Member}

// names returns the role and those it includes, as switchboard.User holds them.
func (r Role) names() []string {
	i := slices.Index(roles, r)
	if i < 0 {
		return nil
	}
	var out []string
	for _, r := range roles[i:] {
		out = append(out, string(r))
	}
	return out
}

// Account is what may be known of an account.
type Account struct {
	ID      switchboard.UserID `json:"id"`
	Name    string             `json:"name"`
	Role    Role               `json:"role"`
	Created switchboard.Time   `json:"created"`
}

// accountRecord is the record of an account, under account.<name>.
type accountRecord struct {
	Subject    string           `json:"subject"` // random, never changed, never used again
	Role       Role             `json:"role"`
	Hash       string           `json:"hash"`       // PHC string of the password
	Generation uint64           `json:"generation"` // grows with each password; sessions of another generation are void
	Created    switchboard.Time `json:"created"`
}

const (
	accountKey = "account."
	maxName    = 64
	maxTries   = 10 // of a compare-and-set
)

// id returns the user id of an account.
func (r accountRecord) id(issuer string) switchboard.UserID {
	return switchboard.NewUserID(issuer, "", r.Subject)
}

// foldName returns a name in lower case, or Invalid: 1–64 of [a-z0-9._@-], upper case folded.
func foldName(name string) (string, error) {
	if len(name) < 1 || len(name) > maxName {
		return "", switchboard.Errorf(switchboard.Invalid, "must have 1 to %d characters", maxName).At("name")
	}
	folded := []byte(name)
	for i, c := range folded {
		if c >= 'A' && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		} else if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("._@-", rune(c)) {
			return "", switchboard.Errorf(switchboard.Invalid, "may hold only letters, digits and . _ @ -").At("name")
		}
	}
	return string(folded), nil
}

// AddAccount makes an account. The name is folded to lower case. Errors: Invalid with field name, role or password,
// Conflict if the name is taken, RateLimited, Unavailable.
func (a *Authority) AddAccount(ctx context.Context, name string, role Role, password string) (Account, error) {
	name, err := foldName(name)
	if err != nil {
		return Account{}, err
	}
	if !slices.Contains(roles, role) {
		return Account{}, switchboard.Errorf(switchboard.Invalid, "must be admin, operator or user").At("role")
	}
	if err := checkNewPassword(password); err != nil {
		return Account{}, err
	}
	switch _, _, err := a.account(ctx, name); switchboard.CodeOf(err) {
	case "":
		return Account{}, taken()
	case switchboard.NotFound:
	default:
		return Account{}, err
	}
	hash, err := a.hashes.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	r := accountRecord{Subject: rand.Text(), Role: role, Hash: hash, Generation: 1, Created: switchboard.At(time.Now())}
	v, err := json.Marshal(r)
	if err != nil {
		return Account{}, err
	}
	if _, err = a.records.Create(ctx, accountKey+name, v); switchboard.CodeOf(err) == switchboard.Conflict {
		return Account{}, taken()
	} else if err != nil {
		return Account{}, err
	}
	return a.describe(name, r), nil
}

// Accounts returns all accounts, by name.
func (a *Authority) Accounts(ctx context.Context) ([]Account, error) {
	out := []Account{}
	err := a.records.List(ctx, strings.TrimSuffix(accountKey, "."), func(key string, value []byte, _ uint64) error {
		var r accountRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return switchboard.Wrap(switchboard.Internal, "an account cannot be read", err)
		}
		out = append(out, a.describe(strings.TrimPrefix(key, accountKey), r))
		return nil
	})
	slices.SortFunc(out, func(x, y Account) int { return strings.Compare(x.Name, y.Name) })
	return out, err
}

// SetPassword replaces an account's password and ends all its sessions. Errors: Invalid, NotFound, RateLimited,
// Unavailable.
func (a *Authority) SetPassword(ctx context.Context, name, password string) error {
	name, err := foldName(name)
	if err != nil {
		return err
	}
	if err := checkNewPassword(password); err != nil {
		return err
	}
	if _, _, err := a.account(ctx, name); err != nil {
		return err
	}
	hash, err := a.hashes.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.change(ctx, name, func(r accountRecord, revision uint64) error {
		r.Hash = hash
		r.Generation++
		v, err := json.Marshal(r)
		if err == nil {
			_, err = a.records.Update(ctx, accountKey+name, v, revision)
		}
		return err
	})
}

// RemoveAccount removes an account and ends all its sessions. Its user id is never given again. Errors: Invalid,
// NotFound, Unavailable.
func (a *Authority) RemoveAccount(ctx context.Context, name string) error {
	name, err := foldName(name)
	if err != nil {
		return err
	}
	return a.change(ctx, name, func(_ accountRecord, revision uint64) error {
		return a.records.Delete(ctx, accountKey+name, revision)
	})
}

// change applies fn to the account's record until no other writer was faster, then ends the account's sessions.
func (a *Authority) change(ctx context.Context, name string, fn func(accountRecord, uint64) error) error {
	for try := 0; ; try++ {
		r, revision, err := a.account(ctx, name)
		if err != nil {
			return err
		}
		err = fn(r, revision)
		if switchboard.CodeOf(err) == switchboard.Conflict && try < maxTries {
			continue
		}
		if err != nil {
			return err
		}
		// The change has made the sessions void already; what is left is to tidy up, even if the caller has gone.
		return a.dropSessions(context.WithoutCancel(ctx), r.id(a.cfg.Issuer))
	}
}

// EnsureAdmin makes the account admin at the first start of a store, and never again, even if it was removed. Without
// a password it makes one and returns it. Errors: as AddAccount.
func (a *Authority) EnsureAdmin(ctx context.Context, password string) (generated string, created bool, err error) {
	const done = "setup.admin"
	if _, _, err := a.records.Get(ctx, done); switchboard.CodeOf(err) != switchboard.NotFound {
		return "", false, err
	}
	if password == "" {
		generated = strings.ToLower(rand.Text()) // 130 bits
		password = generated
	}
	_, err = a.AddAccount(ctx, string(Admin), Admin, password)
	created = err == nil
	if err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
		return "", false, err
	}
	if _, err := a.records.Create(ctx, done, []byte("{}")); err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
		return "", false, err
	}
	if !created {
		generated = ""
	}
	return generated, created, nil
}

// account reads the record of a folded name. Errors: NotFound with field name, Unavailable.
func (a *Authority) account(ctx context.Context, name string) (r accountRecord, revision uint64, err error) {
	v, revision, err := a.records.Get(ctx, accountKey+name)
	if switchboard.CodeOf(err) == switchboard.NotFound {
		return r, 0, switchboard.Errorf(switchboard.NotFound, "no such account").At("name")
	}
	if err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(v, &r); err != nil {
		return r, 0, switchboard.Wrap(switchboard.Internal, "the account cannot be read", err)
	}
	return r, revision, nil
}

func (a *Authority) describe(name string, r accountRecord) Account {
	return Account{ID: r.id(a.cfg.Issuer), Name: name, Role: r.Role, Created: r.Created}
}

func taken() error { return switchboard.Errorf(switchboard.Conflict, "the name is taken").At("name") }
