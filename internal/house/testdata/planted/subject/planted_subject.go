// plant: agent/planted_subject.go
// want: the subjects of the log: writes a string that begins with "delta.", but the one place is journal/subject.go
// want: the subjects of the log: writes a string that begins with "ev.", but the one place is journal/subject.go

package agent

import "github.com/netra-systems/switchboard"

func subjects(u switchboard.UserID) []string {
	return []string{"delta." + string(u) + ".>", `ev.0.` + string(u)}
}
