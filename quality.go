package switchboard

// ContentType says what kind of text is judged.
type ContentType string

// The kinds of content.
const (
	OptimizationContent ContentType = "optimization"
	DataAnalysisContent ContentType = "data_analysis"
	ActionPlanContent   ContentType = "action_plan"
	ReportContent       ContentType = "report"
	ErrorMessageContent ContentType = "error_message"
	GeneralContent      ContentType = "general"
)

// Rating is what a person thinks of an answer.
type Rating string

// The ratings.
const (
	RatedUp   Rating = "up"
	RatedDown Rating = "down"
)

// The types of notices to operators who are subscribed.
const (
	TypeQualityAlert  = "quality_alert"
	TypeQualityUpdate = "quality_update"
)

type (
	// QualityScores are what is measured of a text, each from 0 to 1: of the last four less is better.
	QualityScores struct {
		Specificity       float64 `json:"specificity"`
		Actionability     float64 `json:"actionability"`
		Quantification    float64 `json:"quantification"`
		Completeness      float64 `json:"completeness"`
		Clarity           float64 `json:"clarity"`
		GenericPhrases    float64 `json:"generic_phrases"`
		CircularReasoning float64 `json:"circular_reasoning"`
		HallucinationRisk float64 `json:"hallucination_risk"`
		Redundancy        float64 `json:"redundancy"`
	}
	// Validation is the result of validate_content.
	Validation struct {
		Passed bool          `json:"passed"`
		Score  float64       `json:"score"`
		Level  string        `json:"level"`
		Scores QualityScores `json:"scores"`
		Issues []string      `json:"issues"`
	}
	// QualityFigures sum runs up that ended in a period. Rejected are answers that were not good enough, whether they were
	// given or not; the mean is of all that were scored, RejectedShare of these and of those not given.
	QualityFigures struct {
		Completed     int     `json:"completed"`
		Failed        int     `json:"failed"`
		Stopped       int     `json:"stopped"`
		Scored        int     `json:"scored"`
		MeanScore     float64 `json:"mean_score"`
		Rejected      int     `json:"rejected"`
		RejectedShare float64 `json:"rejected_share"`
		Retried       int     `json:"retried"`
		RatedUp       int     `json:"rated_up"`
		RatedDown     int     `json:"rated_down"`
	}
	// AgentFigures are the figures of an agent.
	AgentFigures struct {
		Agent   string         `json:"agent"`
		Figures QualityFigures `json:"figures"`
	}
	// QualityMetrics is the result of get_quality_metrics. Scope says whose runs: "own", or "all" for an operator. Since is how
	// far back they go; Complete is false while a node still reads the log after its start.
	QualityMetrics struct {
		Scope       string         `json:"scope" enum:"own,all"`
		PeriodHours int            `json:"period_hours"`
		Since       Time           `json:"since"`
		Complete    bool           `json:"complete"`
		Total       QualityFigures `json:"total"`
		Agents      []AgentFigures `json:"agents"`
	}
	// QualitySlot is an hour of a day's report, or a day of a week's.
	QualitySlot struct {
		From    Time           `json:"from"`
		Figures QualityFigures `json:"figures"`
	}
	// QualityReportData are the figures of a report; Slots are those of a detailed one.
	QualityReportData struct {
		ReportType string         `json:"report_type"`
		Period     string         `json:"period"`
		Until      Time           `json:"until"`
		Metrics    QualityMetrics `json:"metrics"`
		Slots      []QualitySlot  `json:"slots"`
	}
	// QualityReport is the result of generate_quality_report.
	QualityReport struct {
		Markdown string            `json:"markdown"`
		Data     QualityReportData `json:"data"`
	}
	// QualitySubscription is the result of subscribe_quality_alerts.
	QualitySubscription struct {
		Subscribed bool `json:"subscribed"`
	}
	// QualityAlert tells operators that an agent's newest answers have become worse than they may be.
	QualityAlert struct {
		Severity  string  `json:"severity" enum:"warning,critical"`
		Agent     string  `json:"agent"`
		Metric    string  `json:"metric" enum:"mean_score,rejected_share"`
		Value     float64 `json:"value"`
		Threshold float64 `json:"threshold"`
	}
	// QualityUpdate tells operators how an agent's newest answers were.
	QualityUpdate struct {
		Agent         string  `json:"agent"`
		Answers       int     `json:"answers"`
		MeanScore     float64 `json:"mean_score"`
		RejectedShare float64 `json:"rejected_share"`
	}
)
