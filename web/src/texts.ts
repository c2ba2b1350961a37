// What is still being written: deltas put together by the protocol's rule.
import { type Delta, type DeltaPayload, type Event, terminalEvents } from "./wire";

// Stream is the text so far of one message or call, or the progress of a call.
export interface Stream {
  kind: DeltaPayload["kind"];
  message?: string;
  call?: string;
  text: string;
  next: number;
  progress?: number;
  total?: number;
}

interface Open {
  attempt: number;
  asked: number; // when the text so far was asked for, after a gap; 0 if there is none
  streams: Map<string, Stream>;
}

const patience = 1000; // ms for the text so far to come: it may be lost too

const key = (kind: string, id = "") => `${kind} ${id}`;

// Texts holds the streams of all runs. A stream is open until an event holds its text or voids it: the event is right.
export class Texts {
  #runs = new Map<string, Open>();
  #closed = new Set<string>(); // runs that ended, streams that are final or void

  // open gives the open streams of a run, in the order in which they began.
  open(run: string): Stream[] {
    return [...(this.#runs.get(run)?.streams.values() ?? [])];
  }

  // add says what a delta did: "gap" asks for resync_message.
  add({ run_id: id, payload: p }: Delta): "changed" | "gap" | "" {
    const name = key(p.kind, p.message_id ?? p.call_id);
    if (this.#closed.has(id) || this.#closed.has(name)) return "";
    const run = this.#run(id);
    if (p.attempt < run.attempt) return "";
    const stream: Stream = run.streams.get(name) ?? { kind: p.kind, message: p.message_id, call: p.call_id, text: "", next: 0 };
    run.streams.set(name, stream);
    if (p.kind === "tool_progress") {
      Object.assign(stream, { text: p.text ?? "", progress: p.progress, total: p.total });
      return "changed";
    }
    if (p.index + p.count <= stream.next) return "";
    if (p.index === stream.next) {
      stream.text += p.text ?? "";
      stream.next += p.count;
    } else if (p.index === 0) {
      stream.text = p.text ?? "";
      stream.next = p.count;
    } else {
      const now = performance.now();
      if (run.asked && now - run.asked < patience) return "";
      run.asked = now;
      return "gap";
    }
    if (p.index === 0) run.asked = 0;
    return "changed";
  }

  // event closes what the event makes final or void. The same event may come again.
  event(e: Event): void {
    const id = e.run_id ?? "";
    if (terminalEvents.includes(e.type)) {
      this.#closed.add(id);
      this.#runs.delete(id);
      return;
    }
    if (this.#closed.has(id)) return;
    switch (e.type) {
      case "thread_deleted":
        for (const run of [...this.#runs.keys()]) if (run.startsWith(`${e.thread_id}.`)) this.#runs.delete(run);
        break;
      case "agent_started":
        this.#attempt(id, e.payload.attempt);
        break;
      case "agent_resumed":
        this.#attempt(id, e.payload.attempt);
        for (const message of e.payload.discards ?? []) this.#close(id, message, "text", "thinking");
        break;
      case "agent_thinking":
        if (e.payload.source === "model") this.#close(id, e.payload.message_id, "thinking");
        break;
      case "agent_message":
        this.#close(id, e.payload.message_id, "text", "thinking");
        for (const call of e.payload.calls ?? []) this.#close(id, call.call_id, "tool_arguments");
        break;
      case "tool_completed":
        this.#close(id, e.payload.call_id, "tool_arguments", "tool_progress");
        break;
    }
  }

  // reconnected makes gaps worth asking about again.
  reconnected(): void {
    for (const run of this.#runs.values()) run.asked = 0;
  }

  #run(id: string): Open {
    let run = this.#runs.get(id);
    if (!run) this.#runs.set(id, (run = { attempt: 0, asked: 0, streams: new Map() }));
    return run;
  }

  #attempt(id: string, attempt: number): void {
    const run = this.#run(id);
    run.attempt = Math.max(run.attempt, attempt);
  }

  #close(run: string, id: string, ...kinds: string[]): void {
    for (const kind of kinds) {
      this.#closed.add(key(kind, id));
      this.#runs.get(run)?.streams.delete(key(kind, id));
    }
  }
}
