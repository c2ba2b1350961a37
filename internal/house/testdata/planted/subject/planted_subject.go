// plant: agent/planted_subject.go
// want: subjects are built in one file, at journal/subject.go:
// want: subjects are built in one file, at journal/subject.go:

package agent

import "github.com/netra-systems/switchboard"

func subjects(u switchboard.UserID) []string {
	return []string{"delta." + string(u) + ".>", `ev.0.` + string(u)}
}
