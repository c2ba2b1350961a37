// The open chat: its header, its runs, and the message box.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Composer } from "./composer";
import { Icon } from "./parts";
import { RunView, SentView } from "./runview";
import type { Store } from "./store";

const examples = [
  ["Work something out", "What is 0.175 * 2480 + 12?"],
  ["Ask for the time", "What time is it in Tokyo?"],
  ["Have a story told", "Tell me a story of 120 words"],
] as const;

export function Chat({ store }: { store: Store }) {
  return (
    <main class="chat" inert={store.menu}>
      <Header store={store} />
      <Messages store={store} />
      <Composer store={store} />
    </main>
  );
}

function Header({ store }: { store: Store }) {
  const { chat } = store;
  return (
    <header>
      <button type="button" id="menu" class="quiet" aria-label="Chats" aria-expanded={store.menu} aria-controls="chats" onClick={() => store.toggleMenu()}>
        <Icon name="menu" />
      </button>
      <h1 dir="auto">{chat.id ? store.title || "Chat" : "New chat"}</h1>
      {chat.id && (
        <>
          <button type="button" id="rename" class="quiet" aria-label="Rename this chat" title="Rename" onClick={() => store.show("rename")}><Icon name="pencil" /></button>
          <button type="button" id="delete" class="quiet" aria-label="Delete this chat" title="Delete" onClick={() => store.show("delete")}><Icon name="trash" /></button>
        </>
      )}
      <ConnectionLine store={store} />
    </header>
  );
}

// ConnectionLine says how things are with the connection.
function ConnectionLine({ store }: { store: Store }) {
  const { name, retryAt } = store.connection;
  const [, tick] = useState(0);
  useEffect(() => {
    if (name !== "waiting") return;
    const timer = setInterval(() => tick((n) => n + 1), 500);
    return () => clearInterval(timer);
  }, [name]);
  const wait = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  const words = {
    connecting: "Connecting…", "catching up": "Catching up…", live: "Live", replaced: "Replaced by a newer device",
    "signed out": "Signed out", waiting: `${navigator.onLine ? "" : "Offline. "}Reconnecting in ${wait} s`,
  };
  return (
    <div id="connection" class="connection" data-state={name}>
      <span class="lamp" aria-hidden="true" /><span>{words[name]}</span>
      {(name === "waiting" || name === "replaced") && <button type="button" class="link" onClick={() => store.reconnect()}>Connect now</button>}
    </div>
  );
}

function Messages({ store }: { store: Store }) {
  const { chat } = store;
  const box = useRef<HTMLElement>(null);
  const place = useRef({ chat, atEnd: true, first: "", height: 0, sent: 0 });
  const [away, setAway] = useState(false);
  const sent = [...store.sent.values()].filter((m) => m.thread === chat.id);
  const runs = chat.runs.filter((run) => !run.withdrawn);

  // After each drawing: stay at the end if the reader is there, and in place if older messages came.
  useLayoutEffect(() => {
    const el = box.current;
    const p = place.current;
    if (!el) return;
    const first = runs[0]?.id ?? "";
    if (p.chat !== chat || sent.length > p.sent) p.atEnd = true;
    else if (first !== p.first && p.first && !p.atEnd) el.scrollTop += el.scrollHeight - p.height;
    if (p.atEnd) el.scrollTop = el.scrollHeight;
    Object.assign(p, { chat, first, height: el.scrollHeight, sent: sent.length });
  });
  const scrolled = () => {
    const el = box.current;
    if (!el) return;
    const distance = el.scrollHeight - el.scrollTop - el.clientHeight;
    place.current.atEnd = distance < 60;
    setAway(distance > 240);
  };
  const toEnd = () => {
    place.current.atEnd = true;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  return (
    <div class="messages">
      <section id="scroll" ref={box} tabIndex={0} aria-label="Messages" onScroll={scrolled}>
        {store.note && <p class="notice"><span>{store.note}</span></p>}
        {!chat.id && !sent.length && <Welcome store={store} />}
        {chat.id && !chat.loaded && !sent.length && <p class="loading">Loading…</p>}
        {chat.earlier > 0 && <button type="button" id="earlier" class="quiet" onClick={() => store.older()}>Earlier messages</button>}
        <ol class="runs">
          {runs.map((run, i) => (
            <RunView key={run.id} run={run} version={run.version} open={store.texts.open(run.id)} newest={i === runs.length - 1 && !sent.length} store={store} />
          ))}
          {sent.map((m) => <SentView key={m.id} sent={m} store={store} />)}
        </ol>
      </section>
      {away && <button type="button" class="to-end" aria-label="To the newest message" onClick={toEnd}><Icon name="down" /></button>}
    </div>
  );
}

function Welcome({ store }: { store: Store }) {
  return (
    <div class="welcome">
      <h2>What would you like to know?</h2>
      <p>Write a message below, or try one of these:</p>
      <ul class="examples">
        {examples.map(([name, text]) => (
          <li key={text}><button type="button" onClick={() => store.send(text)}><small>{name}</small><span>{text}</span></button></li>
        ))}
      </ul>
    </div>
  );
}
