// The list of chats, newest first.
import { type Event, type ThreadSummary, terminalEvents } from "./wire";

export type Row = ThreadSummary;

// Threads holds the rows that are known. next is where older ones go on, "" if all are known.
export class Threads {
  next = "";
  loaded = false;
  version = 0; // grows with every change
  #rows = new Map<string, Row>();

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  // sorted gives the rows, newest first.
  sorted(): Row[] {
    return [...this.#rows.values()].sort((a, b) => (a.updated < b.updated ? 1 : a.updated > b.updated ? -1 : a.thread_id < b.thread_id ? 1 : -1));
  }

  // page takes a page of the server's list; first says that it is the newest one.
  page(rows: Row[], next: string | undefined, first: boolean): void {
    this.version++;
    for (const row of rows) this.#rows.set(row.thread_id, row);
    if (!first || !this.loaded) this.next = next ?? "";
    this.loaded = true;
  }

  // event keeps the list up to date; it returns false if the event's thread is not known: read the list again.
  event(e: Event): boolean {
    this.version++;
    if (e.type === "thread_deleted") {
      this.#rows.delete(e.thread_id);
      return true;
    }
    const first = e.type === "user_message" && e.payload.title !== undefined;
    const row = this.#rows.get(e.thread_id);
    if (!row && !first) return false;
    const next: Row = { thread_id: e.thread_id, title: "", created: e.time, last_text: "", ...row, updated: e.time };
    if (e.type === "user_message") {
      next.title = e.payload.title ?? next.title;
      next.last_text = e.payload.text.slice(0, 200) || next.last_text;
    } else if (e.type === "thread_renamed") {
      next.title = e.payload.title;
    } else if (e.type === "agent_started" || e.type === "agent_resumed") {
      next.active_run = e.run_id;
    } else if (terminalEvents.includes(e.type)) {
      next.active_run = undefined;
      const p = e.payload as { text?: string; partial_text?: string };
      next.last_text = (p.text ?? p.partial_text ?? "").slice(0, 200) || next.last_text;
    }
    this.#rows.set(e.thread_id, next);
    return true;
  }
}
