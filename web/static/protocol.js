// The protocol switchboard.v1 in a browser: one socket that goes on where it left off, and the text of what is still
// being written.

const retried = new Set(["unavailable", "internal", "rate_limited", "draining"]);
const replyMS = 10_000; // the server answers every frame within 5 s
const pingMS = 25_000;

// Problem is a refusal: code is a word of the protocol's table, or "unreachable".
export class Problem extends Error {
  constructor({ code, message, retry_after_ms: wait }) {
    super(message || "Something went wrong.");
    this.code = code;
    this.retryAfter = wait;
  }
}

// newID works without a secure context too, where randomUUID is missing.
export function newID() {
  const bytes = () => crypto.getRandomValues(new Uint8Array(16));
  return crypto.randomUUID?.() ?? Array.from(bytes(), (b) => b.toString(16).padStart(2, "0")).join("");
}

// http asks the JSON API; it throws a Problem.
export async function http(method, path, body) {
  const options = { method, cache: "no-store", signal: AbortSignal.timeout(15_000) };
  if (body) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const response = await fetch(`/api/v1/${path}`, options).catch(() => {
    throw new Problem({ code: "unreachable", message: "The server cannot be reached." });
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Problem({ ...answer, message: answer.detail ?? `The server answered ${response.status}.` });
}

const backoff = (tries, least = 0) => Math.max(least, Math.min(30_000, 500 * 2 ** tries)) * (0.5 + Math.random() / 2);

// Connection is one device. Frames without an answer are repeated with the same id on the next socket. It calls
// on.state(name, at), on.established(payload, fresh), on.event, on.delta and on.expiring(at); fresh says that there is
// no place to go on from: reload.
export class Connection {
  #on;
  #socket = null;
  #established = false;
  #cursor = "";
  #limits = {};
  #tries = 0;
  #timer = 0;
  #waiting = new Map(); // id → a frame without an answer

  constructor(on) {
    this.#on = on;
    setInterval(() => this.#established && this.#ping(), pingMS);
    const hurry = () => !this.#socket && this.#timer && !document.hidden && this.connect();
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
  }

  // connect opens a socket at once. With fresh the place to go on from is forgotten.
  connect({ fresh = false } = {}) {
    this.#end();
    if (fresh) this.#cursor = "";
    this.#on.state("connecting");
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#cursor) url.searchParams.set("cursor", this.#cursor);
    const socket = new WebSocket(url, ["switchboard.v1"]);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(1006), 2 * replyMS);
    socket.addEventListener("message", ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => socket === this.#socket && this.#lost(code));
  }

  // ask sends a frame and gives the payload of its one reply, or throws a Problem.
  ask(type, payload = {}, thread = "", id = newID()) {
    const text = JSON.stringify({ type, id, ...(thread && { thread_id: thread }), payload });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { text, bytes: new TextEncoder().encode(text).length, resolve, reject, tries: 0, timer: 0 });
      if (this.#established) this.#send(id);
    });
  }

  #ping() {
    const id = newID();
    this.ask("ping", {}, "", id).catch(() => {});
    this.#waiting.get(id).once = true;
  }

  #send(id) {
    const frame = this.#waiting.get(id);
    if (frame.bytes > this.#limits.frame_bytes) {
      this.#waiting.delete(id);
      frame.reject(new Problem({ code: "too_large", message: "This message is too long." }));
      return;
    }
    this.#socket.send(frame.text);
    frame.timer = setTimeout(() => this.#lost(1006), replyMS);
  }

  #receive(frame) {
    const { type, payload } = frame;
    switch (type) {
      case "connection_established":
        clearTimeout(this.#timer);
        if (payload.resync) this.#cursor = "";
        this.#limits = payload.limits;
        this.#established = true;
        this.#on.state("catching up");
        this.#on.established(payload, !this.#cursor);
        for (const id of [...this.#waiting.keys()]) this.#send(id);
        return;
      case "caught_up":
        this.#tries = 0;
        this.#cursor = payload.cursor || this.#cursor;
        return this.#on.state("connected");
      case "agent_delta":
        return this.#on.delta(frame);
      case "ack":
      case "result":
      case "error":
        return this.#answer(frame);
      case "expiring":
        return this.#on.expiring(new Date(payload.at));
    }
    if (!frame.thread_id) return; // a notice this page does not know
    this.#cursor = frame.cursor || this.#cursor;
    this.#on.event(frame);
  }

  #answer({ type, id, payload }) {
    const frame = this.#waiting.get(id);
    if (!frame) {
      if (type === "error" && payload.field === "cursor") this.#cursor = ""; // refused at the opening: begin anew
      return;
    }
    clearTimeout(frame.timer);
    if (type === "error" && retried.has(payload.code) && frame.tries < 8) {
      frame.timer = setTimeout(() => this.#send(id), payload.retry_after_ms ?? backoff(frame.tries++));
      return;
    }
    this.#waiting.delete(id);
    if (type === "error") frame.reject(new Problem(payload));
    else frame.resolve(payload);
  }

  // end leaves the socket; what it still says no longer counts.
  #end() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#established = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const [id, frame] of this.#waiting) {
      clearTimeout(frame.timer);
      if (frame.once) this.#waiting.delete(id);
    }
  }

  async #lost(code) {
    const refused = !this.#established;
    this.#end();
    if (code === 4501) return this.#on.state("logged out");
    if (code >= 4500) return this.#on.state("replaced");
    const wait = code === 4004 && !refused ? 300 * Math.random() : backoff(this.#tries++, code === 4001 ? 10_000 : 0);
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#on.state("waiting", Date.now() + wait);
    if (!refused) return;
    // A browser does not say why a handshake failed.
    const timer = this.#timer;
    const why = await http("GET", "me").catch((problem) => problem);
    if (why.code !== "unauthenticated" || timer !== this.#timer) return;
    this.#end();
    this.#on.state("logged out");
  }
}

const terminal = new Set(["agent_completed", "agent_failed", "agent_stopped"]);

// isTerminal reports whether events of this type end a run.
export const isTerminal = (type) => terminal.has(type);

const key = (kind, id) => `${kind} ${id}`;

// Texts assembles deltas. A stream is open until an event holds its text or voids it: the event is the truth.
export class Texts {
  #runs = new Map(); // run → {attempt, asked, streams}
  #closed = new Set(); // runs that ended, streams that are final or void

  // open gives the open streams of a run, in the order in which they began.
  open(run) {
    return [...(this.#runs.get(run)?.streams.values() ?? [])];
  }

  // add reports whether the text changed; "gap" asks for resync_message.
  add({ run_id: id, payload: p }) {
    const name = key(p.kind, p.message_id ?? p.call_id);
    if (this.#closed.has(id) || this.#closed.has(name)) return false;
    const run = this.#run(id);
    if (p.attempt < run.attempt) return false;
    const stream = run.streams.get(name) ?? { kind: p.kind, message: p.message_id, call: p.call_id, text: "", next: 0 };
    run.streams.set(name, stream);
    if (p.kind === "tool_progress") return Boolean(Object.assign(stream, { text: "", total: null }, p));
    if (p.index + p.count <= stream.next) return false;
    if (p.index === stream.next) {
      stream.text += p.text ?? "";
      stream.next += p.count;
    } else if (p.index === 0) {
      stream.text = p.text ?? "";
      stream.next = p.count;
    } else {
      const first = !run.asked;
      run.asked = true;
      return first && "gap";
    }
    if (p.index === 0) run.asked = false;
    return true;
  }

  // event closes what the event makes final or void.
  event({ type, run_id: id, thread_id: thread, payload: p }) {
    if (terminal.has(type)) {
      this.#closed.add(id);
      this.#runs.delete(id);
    } else if (type === "thread_deleted") {
      for (const run of [...this.#runs.keys()]) if (run.startsWith(`${thread}.`)) this.#runs.delete(run);
    } else if (type === "agent_started" || type === "agent_resumed") {
      if (this.#closed.has(id)) return;
      this.#run(id).attempt = Math.max(this.#run(id).attempt, p.attempt);
      for (const message of p.discards ?? []) this.#close(id, "text thinking", message);
    } else if (type === "agent_thinking" && p.source === "model") {
      this.#close(id, "thinking", p.message_id);
    } else if (type === "agent_message") {
      this.#close(id, "text thinking", p.message_id);
      for (const call of p.calls ?? []) this.#close(id, "tool_arguments", call.call_id);
    } else if (type === "tool_completed") {
      this.#close(id, "tool_arguments tool_progress", p.call_id);
    }
  }

  // reconnected makes gaps worth asking about again.
  reconnected() {
    for (const run of this.#runs.values()) run.asked = false;
  }

  #run(id) {
    if (!this.#runs.has(id)) this.#runs.set(id, { attempt: 0, asked: false, streams: new Map() });
    return this.#runs.get(id);
  }

  #close(run, kinds, id) {
    for (const kind of kinds.split(" ")) {
      this.#closed.add(key(kind, id));
      this.#runs.get(run)?.streams.delete(key(kind, id));
    }
  }
}
