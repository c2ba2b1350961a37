// A question, the work on it, and its answer.
import { Component } from "preact";
import { useState } from "preact/hooks";
import { Markdown } from "./markup";
import { Copy, Icon, Value } from "./parts";
import { reason } from "./protocol";
import type { Call, Run, Step } from "./run";
import type { Sent, Store } from "./store";
import type { Stream } from "./texts";
import type { Rating, ToolApprovalRequiredEvent, UserMessageEvent } from "./wire";
import { atMoment, atTime, brief, elapsed, pretty, seconds } from "./words";

interface Props {
  run: Run;
  version: number; // of the run: it is drawn anew when this changes
  open: Stream[];
  newest: boolean;
  store: Store;
}

export class RunView extends Component<Props> {
  shouldComponentUpdate(next: Props): boolean {
    const { run, version, newest } = this.props;
    return next.run !== run || next.version !== version || next.newest !== newest;
  }

  render({ run, open, newest, store }: Props) {
    const text = run.outcome?.text ?? open.findLast((s) => s.kind === "text")?.text ?? "";
    return (
      <li class={run.active ? "run busy" : "run"} data-run={run.id} data-phase={run.phase}>
        <Question question={run.question} time={run.time} />
        <Work run={run} open={open} newest={newest} />
        {run.asks.map((ask) => <Ask key={ask.call_id} ask={ask} store={store} />)}
        {text && (
          <div class="answer">
            <h3 class="unseen">Answer</h3>
            <Markdown text={text} />
          </div>
        )}
        {run.outcome?.note && (
          <p class={run.outcome.bad ? "outcome problem" : "outcome"}>{run.outcome.note}{" "}
            {run.outcome.again && newest && <button type="button" class="link" onClick={() => store.send(run.question.text)}>Ask again</button>}
          </p>
        )}
        {run.outcome?.text && (
          <div class="after">
            <Copy text={run.outcome.text} words="Copy answer" />
            <Rate run={run} store={store} />
          </div>
        )}
      </li>
    );
  }
}

// Rate takes and shows what the person thinks of an answer: the latest rating that is stored.
function Rate({ run, store }: { run: Run; store: Store }) {
  const button = (rating: Rating, icon: "good" | "bad", words: string) => (
    <button type="button" class={`rate ${icon}`} aria-pressed={run.rating === rating} aria-label={words} title={words}
      onClick={() => { if (run.rating !== rating) void store.rate(run.id, rating); }}>
      <Icon name={icon} />
    </button>
  );
  return <div role="group" aria-label="Rate this answer" class="rates">{button("up", "good", "Good answer")}{button("down", "bad", "Bad answer")}</div>;
}

// SentView is a message that is not accepted yet.
export function SentView({ sent, store }: { sent: Sent; store: Store }) {
  const live = store.connection.name === "live";
  return (
    <li class="run sent">
      <div class="question"><h2 class="unseen">You</h2><div dir="auto">{sent.text}</div></div>
      {sent.problem ? (
        <p class="outcome problem">Not accepted: {sent.problem}{" "}
          <button type="button" class="link" onClick={() => store.again(sent)}>Try again</button>{" "}
          <button type="button" class="link" onClick={() => store.takeBack(sent)}>Take back</button>
        </p>
      ) : <p class="outcome">{live ? "Sending…" : "Not sent yet: it goes out when the connection is back."}</p>}
    </li>
  );
}

function Question({ question: { text, agent, input, attachments = [] }, time }: { question: UserMessageEvent; time: string }) {
  return (
    <div class="question" title={atMoment(time)}>
      <h2 class="unseen">You</h2>
      <div dir="auto">{text || `Start ${agent}`}</div>
      {input !== undefined && <pre tabIndex={0}>{pretty(input)}</pre>}
      {attachments.map((a) => <p key={a.url} class="attachment">{a.name} ({a.media_type})</p>)}
    </div>
  );
}

// Work is the timeline: open while it is the newest, else as the reader wants it.
function Work({ run, open, newest }: { run: Run; open: Stream[]; newest: boolean }) {
  const [wish, setWish] = useState<boolean | null>(null);
  const shown = wish ?? newest;
  const other = open.findLast((s) => s.kind !== "text");
  return (
    <div class="work">
      <button type="button" class="head" aria-expanded={shown} onClick={() => setWish(!shown)}>{headline(run, open)}</button>
      {shown && (
        <ol class="steps">
          {run.steps.map((step, i) => <StepRow key={i} step={step} since={i ? run.steps[0]?.time : undefined} />)}
          {other && !run.outcome && <li class="step live" dir="auto">{liveText(other)}</li>}
        </ol>
      )}
    </div>
  );
}

function headline(run: Run, open: Stream[]): string {
  if (run.outcome) return run.outcome.headline;
  if (run.phase === "queued") return "Waiting for its turn…";
  if (run.phase === "taken") return "Handed to the agent at work above";
  if (run.stopping) return "Stopping…";
  if (run.asks.length) return "Waiting for your decision";
  if (run.running.length) return `Running ${run.running.join(", ")}…`;
  return open.some((s) => s.kind === "text") ? "Writing…" : "Thinking…";
}

function liveText(s: Stream): string {
  if (s.kind === "thinking") return s.text;
  if (s.kind !== "tool_progress") return `Preparing a call ${s.text}`;
  const share = s.progress === undefined ? "" : ` ${s.progress}${s.total ? ` of ${s.total}` : ""}`;
  return `Progress${share} ${s.text}`;
}

// StepRow is a step, with the time that has passed since the first one.
function StepRow({ step, since }: { step: Step; since?: string }) {
  return (
    <li class={`step ${step.tone}`} data-event={step.event}>
      {step.call ? <CallRow call={step.call} /> : <StepText text={step.text} />}
      <time datetime={step.time} title={atMoment(step.time)}>{since ? elapsed(since, step.time) : atTime(step.time)}</time>
    </li>
  );
}

const longText = 400; // characters of a step that are shown without asking

// StepText is what a step says; of a long one the beginning, until more is asked for.
function StepText({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  if (text.length <= longText) return <span dir="auto">{text}</span>;
  return (
    <span dir="auto">
      {all ? text : `${text.slice(0, longText - 100)}… `}
      {!all && <button type="button" class="link" onClick={() => setAll(true)}>Show all</button>}
    </span>
  );
}

const ends: Record<string, string> = {
  error: "failed", denied: "denied", expired: "not decided in time", timeout: "took too long", unknown: "outcome unknown",
};

function CallRow({ call }: { call: Call }) {
  const [open, setOpen] = useState(false);
  const state = call.status ? [ends[call.status], seconds(call.ms)].filter(Boolean).join(", ") : "running…";
  return (
    <div class={call.status && call.status !== "ok" ? "call bad" : "call"} data-call={call.id}>
      <button type="button" class="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="tool">{call.title || call.tool}</span>{" "}
        <code>{call.title && <>{call.tool}: </>}{brief(call.given)}</code>{" "}
        <span class="state" data-event={call.status && "tool_completed"}>{state}</span>
      </button>
      {open && (
        <div class="values">
          <Value title="Arguments" value={call.given} of={call.tool} />
          {call.result !== undefined && <Value title={call.cut ? "Result (cut)" : "Result"} value={call.result} of={call.tool} />}
          {call.error && <Value title="Error" value={call.error} of={call.tool} />}
        </div>
      )}
    </div>
  );
}

// Ask is a call that waits for a person.
function Ask({ ask, store }: { ask: ToolApprovalRequiredEvent; store: Store }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const decide = async (decision: "approve" | "deny") => {
    setBusy(true);
    try {
      await store.decide(ask.call_id, decision);
      document.getElementById("text")?.focus();
    } catch (thrown) {
      setProblem(reason(thrown));
      setBusy(false);
    }
  };
  return (
    <div class="ask" role="group" aria-label={`Decide about ${ask.tool}`}>
      <p><strong>{ask.tool}</strong> asks for your approval, until {atMoment(ask.expires)}.</p>
      <Value title="Arguments" value={ask.arguments} of={ask.tool} />
      <div class="row">
        <button type="button" class="primary approve" disabled={busy} onClick={() => decide("approve")}>Approve</button>
        <button type="button" class="deny" disabled={busy} onClick={() => decide("deny")}>Deny</button>
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
    </div>
  );
}
