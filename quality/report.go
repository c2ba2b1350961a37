package quality

import (
	"fmt"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
)

// report sums a period up; a detailed report has its hours or days too.
func (f *figures) report(m switchboard.GenerateQualityReport, complete bool, now time.Time) switchboard.QualityReport {
	hours, slot := 24, int64(1)
	if m.Period == "week" {
		hours, slot = switchboard.QualityHours, 24
	}
	data := switchboard.QualityReportData{
		ReportType: m.ReportType, Period: m.Period, Until: switchboard.At(now), Metrics: f.metrics("", "", hours, now),
		Slots: []switchboard.QualitySlot{},
	}
	data.Metrics.Complete = complete
	if m.ReportType == "detailed" {
		for from := hourOf(now) - int64(hours); from <= hourOf(now); from += slot {
			total, _ := f.sum("", "", from, from+slot-1)
			data.Slots = append(data.Slots, switchboard.QualitySlot{From: switchboard.At(time.Unix(from*3600, 0).UTC()), Figures: total.figures()})
		}
	}
	return switchboard.QualityReport{Markdown: markdown(data), Data: data}
}

const columns = " | completed | failed | stopped | scored | mean | level | not good enough | retried | up | down |\n|---|---|---|---|---|---|---|---|---|---|---|\n"

// markdown writes a report. It holds numbers, names of agents and nothing that a user wrote.
func markdown(d switchboard.QualityReportData) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Quality of the last %s\n\nUntil %s, over the runs of all users since %s.\n", d.Period, minute(d.Until), minute(d.Metrics.Since))
	if !d.Metrics.Complete {
		b.WriteString("\n**Not complete yet:** this node has started lately and still reads the log.\n")
	}
	b.WriteString("\n| agent" + columns)
	for _, a := range d.Metrics.Agents {
		line(&b, plain(a.Agent), a.Figures)
	}
	line(&b, "**all**", d.Metrics.Total)
	for _, a := range d.Metrics.Agents {
		if x := a.Figures; x.Scored >= windowLeast && x.RejectedShare > defaultMost {
			fmt.Fprintf(&b, "\n- %s: %.0f %% of the answers were not good enough.\n", plain(a.Agent), 100*x.RejectedShare)
		}
		if x := a.Figures; x.RatedDown > x.RatedUp && x.RatedUp+x.RatedDown >= windowLeast {
			fmt.Fprintf(&b, "\n- %s: more people were displeased (%d) than pleased (%d).\n", plain(a.Agent), x.RatedDown, x.RatedUp)
		}
	}
	if len(d.Slots) > 0 {
		b.WriteString("\n| from" + columns)
		for _, s := range d.Slots {
			line(&b, minute(s.From), s.Figures)
		}
	}
	return b.String()
}

func line(b *strings.Builder, name string, f switchboard.QualityFigures) {
	mean, level := "–", "–"
	if f.Scored > 0 {
		mean, level = fmt.Sprintf("%.2f", f.MeanScore), Level(f.MeanScore)
	}
	fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %s | %s | %d (%.0f %%) | %d | %d | %d |\n", name, f.Completed, f.Failed, f.Stopped, f.Scored,
		mean, level, f.Rejected, 100*f.RejectedShare, f.Retried, f.RatedUp, f.RatedDown)
}

func minute(t switchboard.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// plain writes the name of an agent so that it is no Markdown.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-", r) {
			return r
		}
		if r == '_' {
			return '-'
		}
		return '?'
	}, name)
}
