// A run as a person sees it: the fold of its events.
import type { CallStatus, Event, Rating, ToolApprovalRequiredEvent, ToolExecutingEvent, UserMessageEvent } from "./wire";
import { terminalEvents } from "./wire";
import { seconds } from "./words";

// Call is a tool call; it runs until it has a status.
export interface Call {
  id: string;
  tool: string;
  title: string;
  given: unknown;
  status?: CallStatus;
  result?: unknown;
  error?: string;
  ms: number;
  cut: boolean;
}

// Step is a row of the run's timeline.
export interface Step {
  event: Event["type"];
  time: string;
  text: string;
  tone: "" | "thought" | "said" | "bad";
  call?: Call;
}

// Outcome is how a run ended.
export interface Outcome {
  text: string; // the answer, or what was written of it
  note: string; // why there is no answer
  bad: boolean;
  again: boolean; // asking again may help
  headline: string;
}

const stops: Record<string, string> = {
  user: "You stopped this answer.", interrupted: "Stopped for a newer message.", shutdown: "Stopped: the server shut down.",
};

// Run is one question, the work on it, and its answer. version grows with every change.
export class Run {
  readonly id: string;
  readonly n: number;
  readonly question: UserMessageEvent;
  readonly time: string;
  phase: "queued" | "taken" | "active" | "ended" = "queued";
  stopping = false;
  withdrawn = false;
  steps: Step[] = [];
  asks: ToolApprovalRequiredEvent[] = [];
  calls = new Map<string, Call>();
  outcome: Outcome | null = null;
  rating: Rating | "" = ""; // the latest one
  version = 0;

  constructor(question: UserMessageEvent, n: number, time: string) {
    this.id = question.run_id;
    this.n = n;
    this.question = question;
    this.time = time;
  }

  // active says that the run waits or works: it can be stopped.
  get active(): boolean {
    return this.phase === "queued" || this.phase === "active";
  }

  // running are the tools at work.
  get running(): string[] {
    return [...this.calls.values()].filter((call) => !call.status).map((call) => call.tool);
  }

  apply(e: Event): void {
    this.version++;
    const step = (text: string, tone: Step["tone"] = "", call?: Call) =>
      this.steps.push({ event: e.type, time: e.time, text, tone, call });
    switch (e.type) {
      case "agent_started":
        this.phase = "active";
        step(`Started ${e.payload.agent}${e.payload.model ? ` with ${e.payload.model}` : ""}`);
        break;
      case "agent_thinking":
        step(e.payload.text, "thought");
        break;
      case "agent_message":
        if (e.payload.text) step(e.payload.text, "said");
        break;
      case "tool_approval_required":
        this.asks.push(e.payload);
        break;
      case "tool_decided":
        this.#answered(e.payload.call_id);
        step(decided(e.payload.decision === "approve", e.payload.by, e.payload.reason));
        break;
      case "tool_executing":
        this.#answered(e.payload.call_id);
        step(e.payload.tool, "", this.#call(e.payload));
        break;
      case "tool_completed": {
        const call = this.calls.get(e.payload.call_id);
        const p = e.payload;
        if (call) Object.assign(call, { status: p.status, result: p.result, error: p.error, ms: p.duration_ms, cut: Boolean(p.truncated) });
        break;
      }
      case "agent_handoff":
        step(`${e.payload.from} hands over to ${e.payload.to}${e.payload.reason ? `: ${e.payload.reason}` : ""}`);
        break;
      case "agent_resumed":
        if (e.payload.reason === "takeover") step(`Went on after an interruption (attempt ${e.payload.attempt})`);
        break;
      case "answer_rated":
        this.rating = e.payload.rating;
        break;
      case "stop_requested":
        this.stopping = true;
        break;
    }
    if (terminalEvents.includes(e.type)) this.#end(e);
  }

  taken(): void {
    this.phase = "taken";
    this.version++;
  }

  #call(p: ToolExecutingEvent): Call {
    const call: Call = { id: p.call_id, tool: p.tool, title: p.title ?? "", given: p.arguments, ms: 0, cut: false };
    this.calls.set(call.id, call);
    return call;
  }

  #answered(call: string): void {
    this.asks = this.asks.filter((ask) => ask.call_id !== call);
  }

  #end(e: Event): void {
    this.phase = "ended";
    this.asks = [];
    const tools = [...new Set([...this.calls.values()].map((call) => call.tool))];
    const used = tools.length ? ` with ${tools.join(", ")}` : "";
    const row = (text: string, tone: Step["tone"] = "") => this.steps.push({ event: e.type, time: e.time, text, tone });
    if (e.type === "agent_completed") {
      const { text, usage, duration_ms: ms } = e.payload;
      this.outcome = { text, note: "", bad: false, again: false, headline: `Answered in ${seconds(ms)}${used}` };
      row(`Answered in ${seconds(ms)}, ${usage.input_tokens} tokens read, ${usage.output_tokens} written`);
    } else if (e.type === "agent_failed") {
      const { message, retryable, partial_text: text = "" } = e.payload;
      this.outcome = { text, note: `This answer failed: ${message}`, bad: true, again: retryable, headline: `Failed${used}` };
      row(`Failed: ${message}`, "bad");
    } else if (e.type === "agent_stopped") {
      const { reason, partial_text: text = "" } = e.payload;
      this.outcome = { text, note: stops[reason] ?? "Stopped.", bad: false, again: false, headline: `Stopped${used}` };
      row("Stopped");
    }
  }
}

function decided(approved: boolean, by: string, reason = ""): string {
  const what = by === "timeout" ? "Denied: nobody decided in time" : `${approved ? "Approved" : "Denied"} by you`;
  return reason ? `${what}: ${reason}` : what;
}
