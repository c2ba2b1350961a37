// What the page knows, and what a person can do. Components draw it and call it; it calls changed when to draw anew.
import { Conversation } from "./conversation";
import { Connection, type Listener, Problem, type State, http, newID, reason } from "./protocol";
import { Texts } from "./texts";
import { Threads } from "./threads";
import { type ConnectionEstablished, type Delta, type Event, type Rating, type User, terminalEvents } from "./wire";

// Sent is a message that is not accepted yet.
export interface Sent {
  id: string;
  text: string;
  thread: string; // "" begins one
  agent: string; // "" is the default one
  problem: string;
  flying?: boolean; // it was given to the connection, which repeats it until it is answered
}

// Agent is who may be asked.
export interface Agent {
  name: string;
  description?: string;
  model: string;
}

// Store is the page's state. It is changed by its methods alone.
export class Store implements Listener {
  phase: "loading" | "out" | "in" = "loading";
  loginNote = "";
  user: User | null = null;
  connection: State = { name: "connecting", retryAt: 0 };
  texts = new Texts();
  threads = new Threads();
  chat = new Conversation("", this.texts);
  sent = new Map<string, Sent>();
  note = ""; // shown above the conversation
  announcement = ""; // said by screen readers
  menu = false; // the list of chats, where it is not always there
  dialog: "" | "rename" | "delete" = "";
  draft = "";
  agents: Agent[] = []; // the first one is asked if none is chosen
  chosen = "";
  listing = false;
  titleChars = 200;
  #pageEvents = 100;
  #device: Connection | null = null;
  #lost = false;
  #scheduled = false;
  #took = 0; // ms for the last drawing

  constructor(private readonly draw: () => void) {
    addEventListener("hashchange", () => this.phase === "in" && this.#open());
  }

  // changed draws anew soon, once for all changes until then.
  changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const draw = () => {
      this.#scheduled = false;
      const begin = performance.now();
      this.draw();
      this.#took = performance.now() - begin;
    };
    if (document.hidden || this.#took > 30) setTimeout(draw, Math.max(50, this.#took)); // a long answer leaves time for other things
    else requestAnimationFrame(draw);
  }

  // begin finds out who is logged in.
  async begin(): Promise<void> {
    try {
      this.#enter((await http<{ user: User }>("GET", "me")).user);
    } catch (thrown) {
      this.#leave(thrown instanceof Problem && thrown.code !== "unauthenticated" ? thrown.message : "");
    }
  }

  // logIn returns whether it worked.
  async logIn(username: string, password: string): Promise<boolean> {
    try {
      this.#enter((await http<{ user: User }>("POST", "auth/login", { username, password })).user);
      return true;
    } catch (thrown) {
      this.#leave(reason(thrown));
      return false;
    }
  }

  async logOut(): Promise<void> {
    try {
      await http("POST", "auth/logout");
    } catch (thrown) {
      if (!(thrown instanceof Problem && thrown.code === "unauthenticated")) return this.tell(`Not logged out: ${reason(thrown)}`);
    }
    sessionStorage.clear();
    history.replaceState(null, "", "/");
    location.reload(); // nothing of this user stays in the page
  }

  #enter(user: User): void {
    if (this.user && this.user.id !== user.id) return location.reload();
    this.user = user;
    this.phase = "in";
    this.loginNote = "";
    this.#restore();
    this.#device ??= new Connection(this);
    this.chat = new Conversation(location.hash.slice(1), this.texts); // it is read when the connection is there
    this.#device.connect(true);
  }

  #leave(note: string): void {
    this.#reset();
    this.phase = "out";
    this.loginNote = note;
    this.changed();
  }

  // reset forgets what the server told; what was sent and not accepted stays.
  #reset(): void {
    this.texts = new Texts();
    this.threads = new Threads();
    this.chat = new Conversation("", this.texts);
    this.dialog = "";
  }

  state(state: State): void {
    this.connection = state;
    if (state.name === "live" && this.#lost) this.announce("Connected again.");
    if (state.name === "waiting" && !this.#lost) this.announce("The connection is lost.");
    this.#lost = state.name === "waiting" || (this.#lost && state.name !== "live");
    if (state.name === "signed out") this.#leave("Your session has ended. Log in again.");
    this.changed();
  }

  reconnect(): void {
    this.#device?.connect();
  }

  established({ user, limits }: ConnectionEstablished, fresh: boolean): void {
    if (user.id !== this.user?.id) return location.reload(); // another login in another tab
    this.titleChars = limits.title_chars;
    this.#pageEvents = limits.page_events;
    this.texts.reconnected();
    if (!fresh) return;
    this.#reset();
    this.#open(true);
    void this.list();
    void this.#meet();
    for (const m of this.sent.values()) if (!m.problem && !m.flying) void this.#deliver(m);
  }

  event(e: Event): void {
    this.texts.event(e);
    if (!this.threads.event(e) && this.threads.loaded) void this.list();
    if (e.type === "user_message" && this.sent.has(e.payload.id)) this.#adopt(e.payload.id, e.thread_id);
    if (this.chat.id && this.chat.id === e.thread_id) {
      if (e.type === "thread_deleted") this.#gone("This chat was deleted.");
      for (const applied of this.chat.take(e)) this.#say(applied);
      if (this.chat.missing) void this.#load(this.chat);
    }
    this.changed();
  }

  delta(d: Delta): void {
    const done = this.texts.add(d);
    if (done === "gap") this.#device?.ask("resync_message", { run_id: d.run_id }, d.thread_id).catch(() => {});
    if (done !== "changed" || this.chat.id !== d.thread_id) return;
    this.chat.changed(d.run_id);
    this.changed();
  }

  expiring(at: Date): void {
    this.tell(`Your session ends at ${at.toLocaleTimeString()}. Log in again to go on.`);
  }

  // say tells screen readers what is finished or asks for something.
  #say(e: Event): void {
    if (e.type === "tool_approval_required") this.announce(`${e.payload.tool} asks for your approval.`);
    if (!terminalEvents.includes(e.type)) return;
    const run = this.chat.runs.find((r) => r.id === e.run_id);
    if (run?.outcome) this.announce([run.outcome.text, run.outcome.note].filter(Boolean).join(" "));
  }

  announce(text: string): void {
    this.announcement = text.slice(0, 2000);
    this.changed();
  }

  // tell shows a notice and says it.
  tell(text: string): void {
    this.note = text;
    this.announce(text);
  }

  // go opens a thread at once, "" for a new one: what is written next is for it.
  go(id: string): void {
    if (this.chat.id !== id) history.pushState(null, "", `#${id}`);
    this.#open();
  }

  // open shows the thread that the address names.
  #open(again = false): void {
    const id = location.hash.slice(1);
    this.menu = false;
    if (!again && this.chat.id === id) return this.changed();
    this.chat = new Conversation(id, this.texts);
    this.chosen = "";
    this.note = "";
    this.dialog = "";
    this.changed();
    if (id) void this.#load(this.chat);
  }

  #read(chat: Conversation) {
    return async (payload: { after?: number; before?: number; limit?: number }) => {
      if (!this.#device) throw new Problem("unreachable", "There is no connection.");
      const { limit } = payload;
      return this.#device.ask("get_thread", limit ? { ...payload, limit: Math.min(limit, this.#pageEvents) } : payload, chat.id);
    };
  }

  async #load(chat: Conversation): Promise<void> {
    try {
      await chat.load(this.#read(chat));
    } catch (thrown) {
      if (chat !== this.chat) return;
      if (thrown instanceof Problem && thrown.code === "not_found") this.#gone("There is no such chat.");
      else this.tell(`This chat could not be loaded: ${reason(thrown)}`);
    }
    this.changed();
  }

  async older(): Promise<void> {
    const { chat } = this;
    await chat.older(this.#read(chat)).catch((thrown) => this.tell(`No older messages: ${reason(thrown)}`));
    this.changed();
  }

  #gone(why: string): void {
    history.replaceState(null, "", "#");
    this.#open();
    this.tell(why);
  }

  // meet reads who may be asked; without an answer the default agent is.
  async #meet(): Promise<void> {
    this.agents = await http<{ agents: Agent[] }>("GET", "agents").then((all) => all.agents, () => []);
    this.changed();
  }

  // agent is who is asked next: the one that was chosen, else the one that was asked last in this chat, else the default.
  get agent(): string {
    const known = (name = "") => (this.agents.some((a) => a.name === name) ? name : "");
    return known(this.chosen) || known(this.chat.runs.at(-1)?.question.agent) || (this.agents[0]?.name ?? "");
  }

  choose(agent: string): void {
    this.chosen = agent;
    this.changed();
  }

  // list reads a page of the list of chats: the newest, or the next older one.
  async list(older = false): Promise<void> {
    if (!this.#device) return;
    const { threads } = this;
    this.listing = true;
    this.changed();
    try {
      const page = await this.#device.ask("list_threads", older ? { before: threads.next } : {});
      threads.page(page.threads, page.next, !older);
    } catch (thrown) {
      this.tell(`The chats could not be listed: ${reason(thrown)}`);
    }
    this.listing = false;
    this.changed();
  }

  // send sends a message to the open thread.
  send(text: string): void {
    const clean = text.replaceAll("\0", "").toWellFormed();
    if (!clean.trim() || this.beginning) return;
    const m: Sent = { id: newID(), text: clean, thread: this.chat.id, agent: this.agents.length > 1 ? this.agent : "", problem: "" };
    this.sent.set(m.id, m);
    this.note = "";
    this.#keep();
    void this.#deliver(m);
    this.changed();
  }

  // beginning says that a message of a new chat is on its way: there is nowhere to send another one to.
  get beginning(): boolean {
    return !this.chat.id && [...this.sent.values()].some((m) => !m.thread && !m.problem);
  }

  again(m: Sent): void {
    m.problem = "";
    void this.#deliver(m);
    this.changed();
  }

  // takeBack gives up a message that was refused.
  takeBack(m: Sent): void {
    this.sent.delete(m.id);
    this.draft ||= m.text;
    this.#keep();
    this.changed();
  }

  async #deliver(m: Sent): Promise<void> {
    m.flying = true;
    try {
      const ack = await this.#device?.ask("user_message", m.agent ? { text: m.text, agent: m.agent } : { text: m.text }, m.thread, m.id);
      if (ack) this.#adopt(m.id, ack.thread_id);
    } catch (thrown) {
      if (!this.sent.has(m.id)) return; // its event came
      m.flying = false;
      m.problem = reason(thrown);
      this.announce(`Not accepted: ${m.problem}`);
    }
    this.changed();
  }

  // adopt takes note that a message is in its thread; one that began a thread opens it.
  #adopt(id: string, thread: string): void {
    const m = this.sent.get(id);
    this.sent.delete(id);
    this.#keep();
    if (!m || m.thread || this.chat.id) return;
    this.chat.id = thread;
    history.replaceState(null, "", `#${thread}`);
    void this.#load(this.chat);
  }

  // keep and restore carry messages that were not accepted yet over a reload: their ids make repeating safe.
  #keep(): void {
    sessionStorage.setItem("sent", JSON.stringify({ user: this.user?.id, messages: [...this.sent.values()].map((m) => ({ ...m, flying: false })) }));
  }

  #restore(): void {
    const kept = JSON.parse(sessionStorage.getItem("sent") ?? "{}");
    if (kept.user !== this.user?.id) return;
    for (const m of kept.messages as Sent[]) if (!this.sent.has(m.id)) this.sent.set(m.id, m);
  }

  async stop(): Promise<void> {
    const run = this.chat.active;
    if (!run || run.stopping) return;
    run.stopping = true;
    run.version++;
    this.changed();
    await this.#device?.ask("stop_agent", { run_id: run.id }, this.chat.id).catch((thrown) => {
      if (thrown instanceof Problem && thrown.code === "conflict") return; // it has ended or is stopping
      run.stopping = false;
      run.version++;
      this.tell(`Not stopped: ${reason(thrown)}`);
    });
  }

  // decide answers a tool's question; it throws a Problem.
  async decide(call: string, decision: "approve" | "deny"): Promise<void> {
    await this.#device?.ask("tool_decision", { call_id: call, decision });
  }

  // rate says what the person thinks of an answer; what is shown follows from the event.
  async rate(run: string, rating: Rating): Promise<void> {
    try {
      await this.#device?.ask("rate_answer", { run_id: run, rating }, this.chat.id);
      this.announce(rating === "up" ? "Rated as good." : "Rated as bad.");
    } catch (thrown) {
      this.tell(`Not rated: ${reason(thrown)}`);
    }
  }

  // rename and remove change the open thread; they throw a Problem.
  async rename(title: string): Promise<void> {
    await this.#device?.ask("rename_thread", { title }, this.chat.id);
    this.show("");
  }

  async remove(): Promise<void> {
    await this.#device?.ask("delete_thread", {}, this.chat.id);
    this.show("");
  }

  show(dialog: Store["dialog"]): void {
    this.dialog = dialog;
    this.changed();
  }

  toggleMenu(open = !this.menu): void {
    this.menu = open;
    this.changed();
  }

  write(draft: string): void {
    this.draft = draft;
    this.changed();
  }

  // title is the open thread's.
  get title(): string {
    return this.threads.get(this.chat.id)?.title ?? "";
  }
}
