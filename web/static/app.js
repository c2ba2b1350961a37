// The page: log in, choose a chat, talk.
import { Connection, Problem, Texts, http, isTerminal, newID } from "/protocol.js";
import { ThreadView, button, el } from "/view.js";

const $ = (id) => document.getElementById(id);
const examples = ["What is 0.175 * 2480 + 12?", "What time is it in Tokyo?", "Tell me a story of 120 words"];

let user = null;
let connection = null;
let texts = new Texts();
let thread = null; // the open one: {id, n, view, early, loading}; a new chat has no id yet
let older = ""; // where the list of chats goes on
const rows = new Map(); // thread → {summary, item, link, last}
const outbox = new Map(); // message id → {text, thread}: sent and not accepted yet

function showLogin(note = "") {
  reset();
  $("app").hidden = true;
  $("login").hidden = false;
  $("login-note").textContent = note;
  $(user ? "password" : "username").focus();
}

async function logIn(event) {
  event.preventDefault();
  const form = $("login-form");
  const submit = form.querySelector("button");
  submit.disabled = true;
  $("login-note").textContent = "";
  try {
    const answer = await http("POST", "auth/login", Object.fromEntries(new FormData(form)));
    form.reset();
    enter(answer.user);
  } catch (problem) {
    $("login-note").textContent = problem.message;
    $("password").select();
  }
  submit.disabled = false;
}

async function logOut() {
  try {
    await http("POST", "auth/logout");
  } catch (problem) {
    if (problem.code !== "unauthenticated") return announce(`Not logged out: ${problem.message}`, true);
  }
  history.replaceState(null, "", "/");
  location.reload(); // nothing of this user stays in the page
}

function enter(who) {
  if (user && user.id !== who.id) return location.reload();
  user = who;
  $("user").textContent = who.name;
  $("login").hidden = true;
  $("app").hidden = false;
  connection ??= new Connection({ state, established, event, delta, expiring });
  connection.connect({ fresh: true });
  openThread();
}

// reset forgets what the server told; what was sent and not accepted stays.
function reset() {
  texts = new Texts();
  thread = null;
  older = "";
  rows.clear();
  $("thread-list").replaceChildren();
  $("runs").replaceChildren();
}

let lost = false;
let retryAt = 0;

function state(name, at = 0) {
  retryAt = at;
  $("connection").dataset.state = name;
  drawState();
  $("reconnect").hidden = name !== "waiting" && name !== "replaced";
  if (name === "connected" && lost) announce("Connected again.");
  if (name === "waiting" && !lost) announce("The connection is lost.");
  lost = name === "waiting" || (lost && name !== "connected");
  if (name === "logged out") showLogin("Your session has ended. Log in again.");
  for (const id of outbox.keys()) drawSent(id);
}

function drawState() {
  const wait = Math.max(1, Math.round((retryAt - Date.now()) / 1000));
  $("connection-text").textContent = {
    connecting: "Connecting…", "catching up": "Catching up…", connected: "Connected",
    waiting: `${navigator.onLine ? "No connection" : "You are offline"}. Trying again in ${wait} s.`,
    replaced: "Replaced by a newer device.",
  }[$("connection").dataset.state] ?? "";
}

function established(payload, fresh) {
  if (payload.user.id !== user.id) return location.reload(); // another login in another tab
  texts.reconnected();
  if (!fresh) return;
  reset();
  openThread();
  listThreads();
}

function event(e) {
  texts.event(e);
  listed(e);
  const message = e.type === "user_message" ? outbox.get(e.payload.id) : null;
  if (message) adopt(e.payload.id, e.thread_id);
  if (thread?.id === e.thread_id) {
    if (e.type === "thread_deleted") return gone("This chat was deleted.");
    thread.view.keep(() => take(thread, e));
    if (thread.early.size) load(thread);
    controls();
  }
}

function delta(d) {
  const changed = texts.add(d);
  if (changed === "gap") connection.ask("resync_message", { run_id: d.run_id }, d.thread_id).catch(() => {});
  else if (changed && thread?.id === d.thread_id) thread.view.delta(d.run_id);
}

function expiring(at) {
  announce(`Your session ends at ${at.toLocaleTimeString()}. Log in again to go on.`, true);
}

function announce(text, show = false) {
  $("announcer").textContent = text.slice(0, 2000);
  if (show) notice(text);
}

function notice(text) {
  $("thread-note").textContent = text;
  $("thread-note").hidden = !text;
}

function openThread() {
  const id = location.hash.slice(1);
  if (thread && thread.id === id) return;
  const act = {
    decide: (call, decision) => connection.ask("tool_decision", { call_id: call, decision }),
    announce: (text) => !thread.loading && announce(text),
    leave: () => $("text").focus(),
  };
  thread = { id, n: 0, early: new Map(), loading: false, view: new ThreadView($("runs"), $("scroll"), texts, act) };
  notice("");
  toggleMenu(false);
  for (const [message, { thread: to }] of outbox) if (to === id) drawSent(message);
  for (const row of rows.values()) drawRow(row);
  controls();
  if (id) load(thread);
  if (!matchMedia("(pointer: coarse)").matches) $("text").focus();
}

// load reads what is missing in the thread, page after page.
async function load(t) {
  if (t.loading) return;
  t.loading = true;
  try {
    let begin;
    do {
      let next;
      begin = t.n;
      do {
        const page = await connection.ask("get_thread", t.n ? { after: t.n } : {}, t.id);
        if (t !== thread) return;
        t.view.keep(() => page.events.forEach((e) => take(t, e)), !t.early.size);
        next = page.next;
      } while (next);
      for (const n of t.early.keys()) if (n <= t.n) t.early.delete(n);
    } while (t.early.size && t.n > begin);
  } catch (problem) {
    if (t !== thread) return;
    if (problem.code === "not_found") gone("There is no such chat.");
    else notice(`This chat could not be loaded: ${problem.message}`);
  } finally {
    t.loading = false;
    controls();
  }
}

// take applies an event once and in the order of n; one that comes early waits.
function take(t, e) {
  if (!e.n || e.n <= t.n) return;
  t.early.set(e.n, e);
  while ((e = t.early.get(t.n + 1))) {
    t.early.delete(++t.n);
    t.view.apply(e);
  }
}

function gone(why) {
  history.replaceState(null, "", "#");
  openThread();
  notice(why);
}

function controls() {
  const run = thread?.view.active;
  $("stop").hidden = !run;
  $("empty").hidden = Boolean(thread?.id || outbox.size);
  $("send").disabled = !thread?.id && [...outbox.values()].some((m) => !m.thread); // its thread is not known yet
  document.title = thread?.id && rows.has(thread.id) ? `${rows.get(thread.id).summary.title} – Switchboard` : "Switchboard";
}

async function send(text, id = newID()) {
  const to = outbox.get(id)?.thread ?? thread.id;
  outbox.set(id, { text, thread: to, problem: null });
  notice("");
  thread.view.keep(() => drawSent(id), true);
  controls();
  try {
    const ack = await connection.ask("user_message", { text }, to, id);
    adopt(id, ack.thread_id);
  } catch (problem) {
    if (!outbox.has(id)) return; // its event came
    outbox.get(id).problem = problem;
    drawSent(id);
    announce(`Not accepted: ${problem.message}`);
  }
}

// adopt takes note that a message is in its thread; one that began a thread opens it.
function adopt(id, to) {
  const message = outbox.get(id);
  outbox.delete(id);
  if (message && !message.thread && thread && !thread.id) {
    thread.id = to;
    history.replaceState(null, "", `#${to}`);
    for (const row of rows.values()) drawRow(row);
    load(thread);
  }
  controls();
}

function drawSent(id) {
  const { text, thread: to, problem } = outbox.get(id) ?? {};
  if (text === undefined || thread?.id !== to) return;
  const drop = () => {
    outbox.delete(id);
    thread.view.settle(id);
    $("text").value ||= text;
    controls();
  };
  const connected = $("connection").dataset.state === "connected";
  if (problem) {
    const again = button("Try again", () => send(text, id), "link");
    thread.view.sent(id, text, `Not accepted: ${problem.message} `, again, " ", button("Take back", drop, "link"));
  } else thread.view.sent(id, text, connected ? "Sending…" : "Not sent yet: it goes out when the connection is back.");
}

function submit(e) {
  e?.preventDefault();
  const text = $("text").value.replaceAll("\0", "");
  if (!text.trim() || $("send").disabled) return;
  $("text").value = "";
  fit();
  send(text.toWellFormed?.() ?? text);
}

function fit() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

async function stop() {
  $("stop").disabled = true;
  const run = thread.view.active;
  await connection.ask("stop_agent", { run_id: run }, thread.id).catch((problem) => {
    if (problem.code !== "conflict") notice(`Not stopped: ${problem.message}`); // a conflict: it has ended or is stopping
  });
  $("stop").disabled = false;
}

async function listThreads(before = "") {
  try {
    const page = await connection.ask("list_threads", before ? { before } : {});
    for (const summary of page.threads) drawRow(row(summary.thread_id, summary));
    if (before || !older) older = page.next ?? "";
    if (!before) for (const { thread_id: id } of page.threads.reverse()) $("thread-list").prepend(rows.get(id).item);
    $("more").hidden = !older;
    controls();
  } catch (problem) {
    announce(`The chats could not be listed: ${problem.message}`, true);
  }
}

function row(id, summary) {
  if (!rows.has(id)) {
    const link = el("a", { href: `#${id}` });
    const item = el("li", {}, link);
    rows.set(id, { link, item, summary });
    $("thread-list").append(item);
  }
  const r = rows.get(id);
  r.summary = { ...r.summary, ...summary };
  return r;
}

function drawRow({ link, summary: { thread_id: id, title, last_text: last, active_run: active } }) {
  const current = thread?.id === id;
  if (current) link.ariaCurrent = "page";
  else link.removeAttribute("aria-current");
  link.replaceChildren(el("span", { className: "title", dir: "auto" }, title || "Chat"),
    el("small", { dir: "auto", className: active ? "busy" : "" }, active ? "Working…" : (last ?? "")));
}

// listed keeps the list up to date with an event of any thread.
function listed({ type, thread_id: id, run_id: run, payload: p }) {
  if (type === "thread_deleted") {
    rows.get(id)?.item.remove();
    return rows.delete(id);
  }
  if (!rows.has(id) && p.title === undefined) return void listThreads(); // an old one that was not listed yet
  const change = { thread_id: id };
  if (p.title !== undefined && (type === "user_message" || type === "thread_renamed")) change.title = p.title;
  if (type === "agent_started" || type === "agent_resumed") change.active_run = run;
  if (isTerminal(type)) change.active_run = "";
  const text = (type === "user_message" || isTerminal(type)) && (p.text || p.partial_text);
  if (text) change.last_text = text.slice(0, 200);
  const r = row(id, change);
  drawRow(r);
  if ($("thread-list").firstChild !== r.item) $("thread-list").prepend(r.item);
}

function toggleMenu(open) {
  $("menu").ariaExpanded = String(open);
  $("threads").classList.toggle("open", open);
}

$("login-form").addEventListener("submit", logIn);
$("logout").addEventListener("click", logOut);
$("composer").addEventListener("submit", submit);
$("stop").addEventListener("click", stop);
$("text").addEventListener("input", fit);
$("text").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) submit(e);
});
$("menu").addEventListener("click", () => toggleMenu(!$("threads").classList.contains("open")));
$("more").addEventListener("click", () => listThreads(older));
$("reconnect").addEventListener("click", () => connection.connect());
$("examples").append(...examples.map((text) => el("li", {}, button(text, () => send(text)))));
setInterval(() => retryAt && drawState(), 1000);
addEventListener("hashchange", () => user && openThread());
addEventListener("keydown", (e) => e.key === "Escape" && toggleMenu(false));

http("GET", "me").then(({ user }) => enter(user), (problem) => {
  showLogin(problem instanceof Problem && problem.code !== "unauthenticated" ? problem.message : "");
});
