// The protocol switchboard.v1 in a browser: one socket that goes on where it left off.
import { type Ack, type Code, type ConnectionEstablished, type Delta, type Empty, type Event, type EventPage,
  type MessagePayloads, type Notices, type PingResult, type Problem as ProblemPayload, type ResumeResult, type ThreadList,
  closeCodes } from "./wire";

const replyMS = 10_000; // the server answers every frame within 5 s
const pingMS = 25_000;
const retried = new Set<string>(["unavailable", "internal", "rate_limited", "draining"]);

// Results are the replies to the messages that this page sends.
interface Results {
  user_message: Ack;
  stop_agent: Ack;
  tool_decision: Ack;
  rate_answer: Ack;
  rename_thread: Ack;
  delete_thread: Ack;
  resume: ResumeResult;
  resync_message: Empty;
  list_threads: ThreadList;
  get_thread: EventPage;
  ping: PingResult;
}

type Reply = { [T in "ack" | "result"]: { type: T; id: string; payload: unknown } }["ack" | "result"];
type Refusal = { type: "error"; id?: string; payload: ProblemPayload };
type Notice = { [T in keyof Notices]: { type: T; payload: Notices[T] } }[keyof Notices];
type Frame = Event | ({ type: "agent_delta" } & Delta) | Reply | Refusal | Notice;

// Problem is a refusal: code is a word of the protocol's table, or "unreachable".
export class Problem extends Error {
  constructor(readonly code: Code | "unreachable", message: string) {
    super(message || "Something went wrong.");
  }
}

// reason is what to tell a person about something that was thrown.
export const reason = (thrown: unknown) => (thrown instanceof Error ? thrown.message : "Something went wrong.");

// newID works without a secure context too, where randomUUID is missing.
export function newID(): string {
  if ("randomUUID" in crypto) return crypto.randomUUID();
  return Array.from((crypto as Crypto).getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// http asks the JSON API; it throws a Problem.
export async function http<T>(method: string, path: string, body?: object): Promise<T> {
  const options: RequestInit = { method, cache: "no-store", signal: AbortSignal.timeout(15_000) };
  if (body) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const response = await fetch(`/api/v1/${path}`, options).catch(() => {
    throw new Problem("unreachable", "The server cannot be reached.");
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Problem(answer.code ?? "internal", answer.detail ?? `The server answered ${response.status}.`);
}

// backoff is how long to wait before the next try: growing, with jitter.
function backoff(tries: number, least = 0): number {
  return Math.max(least, Math.min(30_000, 500 * 2 ** tries)) * (0.5 + Math.random() / 2);
}

// State is what is true of the connection; retryAt is when the next try comes.
export interface State {
  name: "connecting" | "catching up" | "live" | "waiting" | "replaced" | "signed out";
  retryAt: number;
}

// Listener is told what comes. established has fresh if there was no place to go on from: reload everything.
export interface Listener {
  state(state: State): void;
  established(payload: ConnectionEstablished, fresh: boolean): void;
  event(event: Event): void;
  delta(delta: Delta): void;
  expiring(at: Date): void;
}

// Waiting is a frame without an answer: it is repeated with the same id on the next socket.
interface Waiting {
  text: string;
  bytes: number;
  once: boolean; // not worth repeating
  tries: number;
  timer: number;
  resolve(payload: unknown): void;
  reject(problem: Problem): void;
}

// Connection is one device.
export class Connection {
  #socket: WebSocket | null = null;
  #established = false;
  #cursor = "";
  #frameBytes = 0;
  #tries = 0;
  #timer = 0;
  #ended = false; // by the server, for good: a person must act
  #waiting = new Map<string, Waiting>();

  constructor(private readonly on: Listener) {
    setInterval(() => this.#established && this.#ping(), pingMS);
    const hurry = () => !this.#socket && this.#timer && !document.hidden && this.connect();
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
  }

  // connect opens a socket at once. With fresh the place to go on from is forgotten.
  connect(fresh = false): void {
    this.#leave();
    this.#ended = false;
    if (fresh) this.#cursor = "";
    this.on.state({ name: "connecting", retryAt: 0 });
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#cursor) url.searchParams.set("cursor", this.#cursor);
    const socket = new WebSocket(url, ["switchboard.v1"]);
    this.#socket = socket;
    this.#timer = window.setTimeout(() => this.#lost(1006), 2 * replyMS);
    socket.addEventListener("message", ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => socket === this.#socket && this.#lost(code));
  }

  // ask sends a frame and gives the payload of its one reply, or throws a Problem.
  ask<T extends keyof Results>(type: T, payload: MessagePayloads[T], thread = "", id = newID()): Promise<Results[T]> {
    return this.#ask(type, payload, thread, id, false) as Promise<Results[T]>;
  }

  #ask(type: string, payload: object, thread: string, id: string, once: boolean): Promise<unknown> {
    const text = JSON.stringify({ type, id, ...(thread && { thread_id: thread }), payload });
    return new Promise((resolve, reject) => {
      const bytes = new TextEncoder().encode(text).length;
      this.#waiting.set(id, { text, bytes, once, tries: 0, timer: 0, resolve, reject });
      if (this.#established) this.#send(id);
    });
  }

  #ping(): void {
    this.#ask("ping", {}, "", newID(), true).catch(() => {});
  }

  #send(id: string): void {
    const frame = this.#waiting.get(id);
    if (!frame) return;
    if (frame.bytes > this.#frameBytes) {
      this.#waiting.delete(id);
      frame.reject(new Problem("too_large", "This message is too long."));
      return;
    }
    this.#socket?.send(frame.text);
    clearTimeout(frame.timer);
    frame.timer = window.setTimeout(() => this.#lost(1006), replyMS);
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case "connection_established":
        return this.#establish(frame.payload);
      case "caught_up":
        this.#tries = 0;
        this.#cursor = frame.payload.cursor || this.#cursor;
        return this.on.state({ name: "live", retryAt: 0 });
      case "agent_delta":
        return this.on.delta(frame);
      case "ack":
      case "result":
        return this.#take(frame.id)?.resolve(frame.payload);
      case "error":
        return this.#refused(frame);
      case "expiring":
        return this.on.expiring(new Date(frame.payload.at));
      case "draining":
      case "quality_alert": // this page subscribes to none
      case "quality_update":
        return;
    }
    if (!frame.thread_id) return; // of a type that this page does not know
    this.#cursor = frame.cursor || this.#cursor;
    this.on.event(frame);
  }

  #establish(payload: ConnectionEstablished): void {
    clearTimeout(this.#timer);
    if (payload.resync) this.#cursor = "";
    this.#frameBytes = payload.limits.frame_bytes;
    this.#established = true;
    const again = [...this.#waiting.keys()];
    this.on.state({ name: "catching up", retryAt: 0 });
    this.on.established(payload, !this.#cursor);
    for (const id of again) this.#send(id);
  }

  #take(id: string): Waiting | undefined {
    const frame = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(frame?.timer);
    return frame;
  }

  #refused({ id = "", payload }: Refusal): void {
    const frame = this.#waiting.get(id);
    if (!frame) {
      if (payload.field === "cursor") this.#cursor = ""; // refused at the opening: begin anew
      return;
    }
    if (retried.has(payload.code) && frame.tries < 8) {
      clearTimeout(frame.timer);
      frame.timer = window.setTimeout(() => this.#established && this.#send(id), payload.retry_after_ms ?? backoff(frame.tries++));
      return;
    }
    this.#take(id)?.reject(new Problem(payload.code, payload.message));
  }

  // leave ends the socket; what it still says no longer counts.
  #leave(): void {
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

  #end(name: State["name"]): void {
    this.#leave();
    this.#ended = true;
    this.on.state({ name, retryAt: 0 });
  }

  async #lost(code: number): Promise<void> {
    const refused = !this.#established;
    const why = closeCodes[code];
    if (why === "unauthenticated") return this.#end("signed out");
    if (code >= 4500 && code < 5000) return this.#end("replaced");
    this.#leave();
    const wait = why === "draining" && !refused ? 300 * Math.random() : backoff(this.#tries++, why === "rate_limited" ? 10_000 : 0);
    this.#timer = window.setTimeout(() => this.connect(), wait);
    this.on.state({ name: "waiting", retryAt: Date.now() + wait });
    if (!refused) return;
    // A browser does not say why a handshake failed.
    const timer = this.#timer;
    const answer = await http<unknown>("GET", "me").catch((problem: unknown) => problem);
    if (answer instanceof Problem && answer.code === "unauthenticated" && timer === this.#timer && !this.#ended) this.#end("signed out");
  }
}
