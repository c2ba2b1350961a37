// One thread as it is read and followed: pages of events, put in the order of n, and folded into runs.
import { Run } from "./run";
import type { Texts } from "./texts";
import type { Event, EventPage } from "./wire";

type Read = (payload: { after?: number; before?: number; limit?: number }) => Promise<EventPage>;

const pageEvents = 100; // of what is read back from the end: some twenty answers

// Conversation is the open thread; a new one has no id yet.
export class Conversation {
  id: string;
  runs: Run[] = [];
  earlier = 0; // where older events go on, 0 if all are here
  loaded = false;
  #byID = new Map<string, Run>();
  #events: Event[] = []; // without a gap
  #early = new Map<number, Event>(); // events beyond a gap
  #loading: Promise<void> | null = null;

  constructor(id: string, private readonly texts: Texts) {
    this.id = id;
  }

  // active is the first run that has not ended.
  get active(): Run | undefined {
    return this.runs.find((run) => run.active);
  }

  // missing says that events came whose predecessors did not.
  get missing(): boolean {
    return this.#early.size > 0;
  }

  get #last(): number {
    return this.#events.at(-1)?.n ?? 0;
  }

  // take applies an event once and in the order of n; one that comes early waits. It returns the events applied.
  take(e: Event): Event[] {
    if (!e.n || e.n <= this.#last) return [];
    this.#early.set(e.n, e);
    if (!this.loaded && e.n > 1) return []; // the end of the thread is on its way
    this.loaded ||= e.n === 1;
    return this.#drain();
  }

  #drain(): Event[] {
    const applied: Event[] = [];
    for (let next; (next = this.#early.get(this.#last + 1)); applied.push(next)) {
      this.#early.delete(next.n ?? 0);
      this.#events.push(next);
      this.#fold(next);
    }
    for (const n of this.#early.keys()) if (n <= this.#last) this.#early.delete(n);
    return applied;
  }

  // load reads the end of the thread, or what is missing before the events that came early.
  load(read: Read): Promise<void> {
    this.#loading ??= this.#load(read).finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #load(read: Read): Promise<void> {
    if (!this.loaded) {
      const page = await read({ before: Number.MAX_SAFE_INTEGER, limit: pageEvents });
      if (!this.loaded) {
        this.loaded = true;
        this.earlier = page.next ?? 0;
        this.#prepend(page.events as Event[]);
        this.#drain();
      }
      while (this.earlier && !this.runs.length) await this.#older(read);
    }
    while (this.missing) {
      const before = this.#last;
      const page = await read({ after: before });
      for (const e of page.events as Event[]) this.take(e);
      if (this.#last === before) return;
    }
  }

  // older reads the page before the first event that is here.
  async older(read: Read): Promise<void> {
    const runs = this.runs.length;
    do await this.#older(read);
    while (this.earlier && this.runs.length === runs);
  }

  async #older(read: Read): Promise<void> {
    const page = await read({ before: this.earlier, limit: pageEvents });
    this.earlier = page.next ?? 0;
    this.#prepend(page.events as Event[]);
  }

  // prepend puts events before the others and folds anew: a page may begin in the middle of a run.
  #prepend(events: Event[]): void {
    const first = this.#events[0]?.n ?? Infinity;
    this.#events = [...events.filter((e) => (e.n ?? 0) < first), ...this.#events];
    const old = this.#byID;
    this.runs = [];
    this.#byID = new Map();
    for (const e of this.#events) this.#fold(e);
    for (const run of this.runs) run.version += (old.get(run.id)?.version ?? 0) + 1;
  }

  #fold(e: Event): void {
    this.texts.event(e);
    if (e.type === "user_message") {
      const run = new Run(e.payload, e.n ?? 0, e.time);
      this.runs.push(run);
      this.#byID.set(run.id, run);
      return;
    }
    if (e.type === "messages_taken") {
      for (const run of this.runs) if (e.payload.ids.includes(run.question.id)) run.taken();
    }
    if (e.type === "agent_stopped") {
      for (const run of this.runs) if (e.payload.withdraws?.includes(run.n)) run.withdrawn = true;
    }
    this.#byID.get(runOf(e))?.apply(e);
  }

  // changed makes the open texts of a run be drawn.
  changed(run: string): void {
    const r = this.#byID.get(run);
    if (r) r.version++;
  }
}

// runOf is the run that an event belongs to, "" if none.
function runOf(e: Event): string {
  if (e.run_id) return e.run_id;
  if (e.type === "stop_requested" || e.type === "answer_rated") return e.payload.run_id;
  if (e.type === "tool_decided") return e.payload.call_id.split(".", 2).join(".");
  return "";
}
