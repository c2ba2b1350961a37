// Package router is the one MessageRouter: every frame of every device and every call of the JSON API goes through it.
//
// decode → validate → authorize → limit → the one handler of that type → append. A frame is answered exactly once; an
// ack is given only for an event that is stored. Identity comes from the Caller, which transport fills from the
// verified credential, never from a frame. A Router may be used concurrently.
package router

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Caller is who sends, and the device it came through; nil for a call of the JSON API.
type Caller struct {
	User   switchboard.User
	Device Device
}

// Device is the stream of the device that a message came through.
type Device interface {
	// Resume lets the stream go on from a cursor after the reply.
	Resume(ctx context.Context, c switchboard.Cursor) (switchboard.ResumeResult, error)
	// Resync gives the open text of a run after the reply.
	Resync(ctx context.Context, r switchboard.RunID) error
	// Subscribe turns notices about quality on or off, until the device leaves.
	Subscribe(on bool)
}

// Journal is what the router writes to and reads of the log.
type Journal interface {
	thread.Store
	Page(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, fromSeq, after, n uint64, limit int) ([]thread.Entry, error)
}

// Threads gives the list of a user's threads.
type Threads interface {
	Index(ctx context.Context, u switchboard.UserID, fn func(*thread.Index) error) error
	// CatchUp waits until the list holds what was appended on this node.
	CatchUp(ctx context.Context, u switchboard.UserID) error
}

// Quality answers what is asked about the quality of answers.
type Quality interface {
	// Metrics returns figures over the runs of a user; of all users if it is "".
	Metrics(u switchboard.UserID, m switchboard.GetQualityMetrics) switchboard.QualityMetrics
	Report(m switchboard.GenerateQualityReport) switchboard.QualityReport
	Validate(m switchboard.ValidateContent) switchboard.Validation
}

// Config is what a Router needs.
type Config struct {
	Journal  Journal
	Threads  Threads
	Quality  Quality // nil: such questions are not supported
	Rules    thread.Rules
	Epoch    string
	Registry prometheus.Registerer // may be nil
	Log      *slog.Logger
}

// handler answers one type of message. A message that changes a thread has none: the thread's fold decides on it, and
// the router appends.
type handler func(ctx context.Context, c Caller, m switchboard.Message) (any, error)

// Router routes.
type Router struct {
	cfg     Config
	limits  switchboard.Limits
	cache   *cache
	budgets *budgets
	queries map[switchboard.MessageType]handler
	routed  *prometheus.CounterVec
}

// accepted are the types that add an event to a thread.
var accepted = map[switchboard.MessageType]bool{
	switchboard.TypeUserMessage: true, switchboard.TypeStartAgent: true, switchboard.TypeStopAgent: true,
	switchboard.TypeToolDecision: true, switchboard.TypeRateAnswer: true, switchboard.TypeRenameThread: true,
	switchboard.TypeDeleteThread: true,
}

// operator is the role of those who look after a server.
const operator = "operator"

// roles are the types that need a role.
var roles = map[switchboard.MessageType]string{
	switchboard.TypeSubscribeQualityAlerts: operator, switchboard.TypeGenerateQualityReport: operator,
}

// New returns a Router.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg, limits: cfg.Rules.Limits, cache: newCache(), budgets: newBudgets(cfg.Rules.Limits)}
	r.queries = map[switchboard.MessageType]handler{
		switchboard.TypeListThreads:   r.listThreads,
		switchboard.TypeGetThread:     r.getThread,
		switchboard.TypePing:          ping,
		switchboard.TypeResume:        resume,
		switchboard.TypeResyncMessage: resyncMessage,
	}
	if cfg.Quality != nil {
		r.queries[switchboard.TypeGetQualityMetrics] = r.qualityMetrics
		r.queries[switchboard.TypeSubscribeQualityAlerts] = subscribeQualityAlerts
		r.queries[switchboard.TypeValidateContent] = r.validateContent
		r.queries[switchboard.TypeGenerateQualityReport] = r.qualityReport
	}
	r.routed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "switchboard_messages_total", Help: "Messages by type and outcome (ok, duplicate or the code of the error).",
	}, []string{"type", "outcome"})
	if cfg.Registry != nil {
		cfg.Registry.MustRegister(r.routed)
	}
	return r
}

// answerWait is how long a message may take until it is answered.
const answerWait = 4500 * time.Millisecond

// Route answers a frame of a device: with one encoded reply, whatever it holds.
func (r *Router) Route(ctx context.Context, c Caller, frame []byte) []byte {
	m, err := switchboard.DecodeMessage(frame, r.limits)
	if err != nil {
		if limited := r.Refused(c.User.ID); limited != nil {
			err = limited
		}
		r.count("", err)
		return switchboard.EncodeReply(m.ID, switchboard.AsError(err))
	}
	result, err := r.Do(ctx, c, m)
	if err != nil {
		return switchboard.EncodeReply(m.ID, switchboard.AsError(err))
	}
	return switchboard.EncodeReply(m.ID, result)
}

// Do answers a decoded message: with a switchboard.Ack for one that was accepted, else with the result of its type.
// Errors are *switchboard.Error.
func (r *Router) Do(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWait)
	defer cancel()
	result, err := r.do(ctx, c, m)
	if err != nil {
		e := switchboard.AsError(err)
		if e.Code == switchboard.Internal {
			r.cfg.Log.Error("a message could not be answered", "type", m.Payload.MessageType(), "user", c.User.ID, "error", err)
		}
		err = e
	}
	r.count(m.Payload.MessageType(), err)
	return result, err
}

func (r *Router) do(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	t := m.Payload.MessageType()
	if accepted[t] {
		return r.accept(ctx, c, m)
	}
	if err := r.Refused(c.User.ID); err != nil {
		return nil, err
	}
	if role := roles[t]; role != "" && !slices.Contains(c.User.Roles, role) {
		return nil, switchboard.Errorf(switchboard.Forbidden, "this needs the role %s", role).At("type")
	}
	h := r.queries[t]
	if h == nil {
		return nil, switchboard.Errorf(switchboard.Unsupported, "this server does not support this type").At("type")
	}
	return h(ctx, c, m)
}

// Refused spends one of the user's frames that add nothing: refused, repeated or asking. Errors: RateLimited.
func (r *Router) Refused(u switchboard.UserID) error { return r.budgets.spendRefusal(u) }

// Observe keeps what is known of threads up to date; it is shown every entry, in order per thread.
func (r *Router) Observe(e thread.Entry) { r.cache.observe(e) }

func (r *Router) count(t switchboard.MessageType, err error) {
	outcome := "ok"
	if err != nil {
		outcome = string(switchboard.CodeOf(err))
	}
	r.routed.WithLabelValues(string(t), outcome).Inc()
}
