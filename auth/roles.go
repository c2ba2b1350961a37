package auth

import (
	"context"

	"github.com/netra-systems/switchboard"
)

// Roles returns the roles that a user's account has now, as switchboard.User holds them. A change elsewhere counts as
// soon as the records tell it. Errors: NotFound if the user has no account, or none any more; Unavailable.
func (a *Authority) Roles(ctx context.Context, u switchboard.UserID) ([]string, error) {
	if role, ok := a.known.role(u); ok {
		return role.names(), nil
	}
	accounts, err := a.Accounts(ctx) // it may be too new to have been told
	if err != nil {
		return nil, err
	}
	for _, acc := range accounts {
		if acc.ID == u {
			return acc.Role.names(), nil
		}
	}
	return nil, switchboard.Errorf(switchboard.NotFound, "no such user")
}

// role returns the role of a user whose account is known for certain.
func (k *known) role(u switchboard.UserID) (Role, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.people[u]
	if !k.live || p == nil || p.account == nil {
		return "", false
	}
	return p.account.role, true
}
