package auth

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/netra-systems/switchboard"
)

// TestRoles: a user's roles are those of the account now, whether or not the records are followed; who has no account
// any more has none.
func TestRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, Config{}, newMemory())
		for _, followed := range []bool{false, true} {
			if followed {
				defer run(t, a)()
			}
			acc := add(t, a, "ops", Operator)
			if got, err := a.Roles(t.Context(), acc.ID); err != nil || !slices.Equal(got, []string{"operator", "user"}) {
				t.Errorf("followed %v: %v, %v", followed, got, err)
			}
			if err := a.RemoveAccount(t.Context(), "ops"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the records tell
			_, err := a.Roles(t.Context(), acc.ID)
			wantCode(t, "Roles of somebody removed", err, switchboard.NotFound, "")
			again := add(t, a, "ops", Member)
			if got, err := a.Roles(t.Context(), again.ID); err != nil || !slices.Equal(got, []string{"user"}) {
				t.Errorf("followed %v, the name again: %v, %v", followed, got, err)
			}
			_, err = a.Roles(t.Context(), acc.ID)
			wantCode(t, "Roles of the removed one, whose name another has", err, switchboard.NotFound, "")
			if err := a.RemoveAccount(t.Context(), "ops"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
