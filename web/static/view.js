// What a thread looks like. Everything that people or models wrote becomes text nodes, never markup.
import { isTerminal } from "/protocol.js";

// el makes an element; children are elements or text.
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// button makes a button that does something.
export function button(label, does, className = "") {
  const element = el("button", { type: "button", className }, label);
  element.addEventListener("click", () => does(element));
  return element;
}

const words = (text, className) => el("div", { className, dir: "auto" }, text);
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const code = (label, value) => [el("p", { className: "label" }, label), el("pre", { tabIndex: 0 }, pretty(value))];
const seconds = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

const stops = { user: "Stopped.", interrupted: "Stopped for a newer message.", shutdown: "Stopped: the server shut down." };
const ends = { ok: "", error: "failed", denied: "denied", expired: "not decided in time", timeout: "took too long", unknown: "outcome unknown" };

function question({ text, input, agent, attachments = [] }) {
  const item = el("div", { className: "question" }, words(text || `Start ${agent}`));
  if (input) item.append(el("pre", {}, pretty(input)));
  for (const { name, media_type: type } of attachments) item.append(el("p", { className: "label" }, `${name} (${type})`));
  return item;
}

// Run is one question, the work on it, and its answer.
class Run {
  #calls = new Map(); // call → its element, while it runs
  #asks = new Map(); // call → the element that asks for a decision
  #tools = [];
  #phase = "queued"; // queued, taken, active, ended
  #stopping = false;
  #head = el("span", { className: "head" });
  #steps = el("ol", { className: "steps" });
  #live = el("li", { className: "live" });
  #asking = el("div", { className: "asking" });
  #answer = words("", "answer");
  #outcome = el("p", { className: "outcome" });

  constructor(event, act) {
    const { payload: p } = event;
    this.id = p.run_id;
    this.message = p.id;
    this.n = event.n;
    this.act = act;
    this.question = p.text;
    const work = el("details", { className: "work" }, el("summary", {}, this.#head), this.#steps);
    this.element = el("li", { className: "run" }, question(p), work, this.#asking, this.#answer, this.#outcome);
    this.#headline([]);
  }

  get active() {
    return this.#phase === "active" || this.#phase === "queued";
  }

  taken() {
    this.#phase = "taken";
    this.#headline([]);
  }

  apply({ type, payload: p }, open) {
    switch (type) {
      case "agent_started":
        this.#phase = "active";
        this.#step(`Started ${p.agent}${p.model ? ` with ${p.model}` : ""}`);
        break;
      case "agent_thinking":
        this.#step(p.text, p.source === "model" ? "thought" : "");
        break;
      case "agent_message":
        if (p.text) this.#step(p.text, "said");
        break;
      case "tool_approval_required":
        this.#ask(p);
        break;
      case "tool_decided":
        this.#decided(p);
        break;
      case "tool_executing":
        this.#call(p);
        break;
      case "tool_completed":
        this.#called(p);
        break;
      case "agent_handoff":
        this.#step(`${p.from} hands over to ${p.to}${p.reason ? `: ${p.reason}` : ""}`);
        break;
      case "agent_resumed":
        if (p.reason === "takeover") this.#step(`Went on after an interruption (attempt ${p.attempt})`);
        break;
      case "stop_requested":
        this.#stopping = true;
        break;
    }
    if (isTerminal(type)) this.#end(type, p);
    else this.draw(open);
  }

  // draw shows the text that is still being written.
  draw(open) {
    if (this.#phase === "ended") return;
    this.#write(open.findLast((s) => s.kind === "text")?.text ?? "");
    const other = open.findLast((s) => s.kind !== "text");
    if (other?.kind === "tool_progress") {
      const share = other.progress === undefined ? "" : ` ${other.progress}${other.total ? ` of ${other.total}` : ""}`;
      this.#live.textContent = `Progress${share} ${other.text ?? ""}`;
    } else if (other) {
      this.#live.textContent = other.kind === "thinking" ? other.text : `Preparing a call ${other.text}`;
    }
    if (other) this.#steps.append(this.#live);
    else this.#live.remove();
    this.#headline(open);
  }

  #write(text) {
    if (!this.#answer.firstChild) this.#answer.append("");
    const node = this.#answer.firstChild;
    if (node.data === text) return;
    if (node.data && text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
    else node.data = text;
  }

  #step(text, className = "") {
    this.#steps.append(el("li", { className, dir: "auto" }, text));
  }

  #call({ call_id: id, tool, title, arguments: given }) {
    const state = el("span", { className: "state" }, "running…");
    const element = el("details", { className: "call" }, el("summary", {}, title ? `${title} · ${tool}` : tool, " ", state), ...code("Arguments", given));
    this.#calls.set(id, { element, state, tool });
    this.#tools.push(tool);
    this.#answered(id);
    this.#steps.append(el("li", {}, element));
  }

  #called({ call_id: id, status, result, error, duration_ms: ms, truncated }) {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    call.state.textContent = [ends[status] ?? status, seconds(ms)].filter(Boolean).join(", ");
    call.element.classList.toggle("bad", status !== "ok");
    if (result !== undefined) call.element.append(...code(truncated ? "Result (cut)" : "Result", result));
    if (error) call.element.append(...code("Error", error));
  }

  #ask({ call_id: id, tool, arguments: given, expires }) {
    const note = el("p", { className: "problem" });
    const answer = (decision) => async () => {
      buttons.forEach((b) => (b.disabled = true));
      await this.act.decide(id, decision).catch((problem) => {
        note.textContent = problem.message;
        buttons.forEach((b) => (b.disabled = false));
      });
    };
    const buttons = [button("Approve", answer("approve"), "primary"), button("Deny", answer("deny"))];
    const until = new Date(expires).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    const element = el("div", { className: "ask", role: "group", ariaLabel: `Decide about ${tool}` },
      el("p", {}, el("strong", {}, tool), " asks for your approval, until ", until), ...code("Arguments", given),
      el("div", { className: "row" }, ...buttons), note);
    this.#asks.set(id, element);
    this.#asking.append(element);
    this.act.announce(`${tool} asks for your approval.`);
  }

  #answered(id) {
    const element = this.#asks.get(id);
    if (element?.contains(document.activeElement)) this.act.leave();
    element?.remove();
    this.#asks.delete(id);
  }

  #decided({ call_id: id, decision, by, reason }) {
    this.#answered(id);
    const what = decision === "approve" ? "Approved" : "Denied";
    this.#step(`${by === "timeout" ? "Denied: nobody decided in time" : `${what} by you`}${reason ? `: ${reason}` : ""}`);
  }

  #end(type, p) {
    this.#phase = "ended";
    this.#live.remove();
    for (const id of [...this.#asks.keys()]) this.#answered(id);
    this.#write(p.text ?? p.partial_text ?? "");
    const used = this.#tools.length ? ` with ${[...new Set(this.#tools)].join(", ")}` : "";
    if (type === "agent_completed") {
      this.#head.textContent = `Answered in ${seconds(p.duration_ms)}${used}`;
      this.#step(`Answered, ${p.usage.input_tokens} tokens read, ${p.usage.output_tokens} written`);
    } else {
      this.#head.textContent = `${type === "agent_failed" ? "Failed" : "Stopped"}${used}`;
      this.#outcome.textContent = type === "agent_failed" ? `Failed: ${p.message}` : (stops[p.reason] ?? "Stopped.");
      this.#outcome.classList.toggle("problem", type === "agent_failed");
    }
    this.element.classList.remove("busy");
    this.act.announce(`${this.#answer.textContent} ${this.#outcome.textContent}`);
  }

  #headline(open) {
    const running = [...this.#calls.values()].map((call) => call.tool);
    let text = "Thinking…";
    if (this.#phase === "queued") text = "Waiting for its turn…";
    else if (this.#phase === "taken") text = "Handed to the agent at work above";
    else if (this.#stopping) text = "Stopping…";
    else if (this.#asks.size) text = "Waiting for your decision";
    else if (running.length) text = `Running ${running.join(", ")}…`;
    else if (open.some((s) => s.kind === "text")) text = "Writing…";
    if (this.#head.textContent !== text) this.#head.textContent = text;
    this.element.classList.toggle("busy", this.active);
  }
}

// ThreadView shows a thread: its events in the order of n, the open texts, and what was sent and not yet accepted.
// act has decide(call, decision), a promise; announce(text); and leave(), for the focus when its element goes.
export class ThreadView {
  #runs = new Map();
  #sent = new Map(); // message id → element
  #dirty = new Set();

  constructor(list, scroll, texts, act) {
    Object.assign(this, { list, scroll, texts, act });
    list.replaceChildren();
  }

  // active is the first run that has not ended.
  get active() {
    return [...this.#runs.values()].find((run) => run.active)?.id;
  }

  // keep does something and stays at the end of the thread if the reader is there.
  keep(change, always = false) {
    const { scroll } = this;
    const atEnd = always || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    change();
    if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  }

  apply(event) {
    const { type, payload: p } = event;
    if (type === "user_message") {
      const run = new Run(event, this.act);
      this.#runs.set(run.id, run);
      this.list.insertBefore(run.element, this.#sent.get(p.id) ?? this.#sent.values().next().value ?? null);
      return this.settle(p.id);
    }
    if (type === "messages_taken") for (const run of this.#runs.values()) if (p.ids.includes(run.message)) run.taken();
    if (p.withdraws) for (const run of this.#runs.values()) if (p.withdraws.includes(run.n)) run.element.remove();
    const id = event.run_id ?? p.run_id ?? p.call_id?.split(".", 2).join(".");
    this.#runs.get(id)?.apply(event, this.texts.open(id));
  }

  // delta draws the run's open text with the next frame.
  delta(id) {
    if (!this.#dirty.size) requestAnimationFrame(() => this.keep(() => this.#draw()));
    this.#dirty.add(id);
  }

  #draw() {
    for (const id of this.#dirty) this.#runs.get(id)?.draw(this.texts.open(id));
    this.#dirty.clear();
  }

  // sent shows a message that is not accepted yet.
  sent(id, text, ...note) {
    const element = el("li", { className: "run sent" }, question({ text }), el("p", { className: "outcome" }, ...note));
    if (this.#sent.has(id)) this.#sent.get(id).replaceWith(element);
    else this.list.append(element);
    this.#sent.set(id, element);
  }

  // settle takes away a message shown by sent.
  settle(id) {
    this.#sent.get(id)?.remove();
    this.#sent.delete(id);
  }
}
