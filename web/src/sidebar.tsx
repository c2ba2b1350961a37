// The list of chats.
import { Component } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, Mark } from "./parts";
import type { Store } from "./store";
import type { Row, Threads } from "./threads";
import { age, atMoment, era, plain } from "./words";

export function Sidebar({ store }: { store: Store }) {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (store.menu) close.current?.focus();
  }, [store.menu]);
  return (
    <nav id="chats" class="sidebar" aria-label="Chats">
      <div class="brand"><Mark /><span>Switchboard</span>
        <button type="button" ref={close} class="quiet close-menu" aria-label="Close the list of chats" onClick={() => store.toggleMenu(false)}><Icon name="close" /></button>
      </div>
      <a id="new" class="new" href="#" onClick={(e) => newChat(e, store)}><Icon name="plus" />New chat</a>
      <List threads={store.threads} version={store.threads.version} open={store.chat.id} busy={store.listing} go={(id) => store.go(id)} older={() => store.list(true)} />
      <div class="account">
        <span class="who"><span class="avatar" aria-hidden="true">{(store.user?.name ?? "?").slice(0, 1).toUpperCase()}</span><span dir="auto">{store.user?.name}</span></span>
        <button type="button" id="logout" class="quiet" onClick={() => store.logOut()}><Icon name="leave" />Log out</button>
      </div>
    </nav>
  );
}

interface ListProps {
  threads: Threads;
  version: number; // of threads
  open: string;
  busy: boolean;
  go: (id: string) => void;
  older: () => void;
}

// List is drawn anew only if something in it changed: an answer being written is no such thing.
class List extends Component<ListProps> {
  shouldComponentUpdate(next: ListProps): boolean {
    const { threads, version, open, busy } = this.props;
    return next.threads !== threads || next.version !== version || next.open !== open || next.busy !== busy;
  }

  render({ threads, open, busy, go, older }: ListProps) {
    const now = Date.now();
    const eras = new Map<string, Row[]>();
    for (const row of threads.sorted()) {
      const name = era(row.updated, now);
      const rows = eras.get(name);
      if (rows) rows.push(row);
      else eras.set(name, [row]);
    }
    return (
      <div class="chats">
        {[...eras].map(([name, rows]) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>{rows.map((row) => <Chat key={row.thread_id} row={row} now={now} open={row.thread_id === open} go={go} />)}</ul>
          </section>
        ))}
        {!eras.size && <p class="nothing">{threads.loaded ? "Your chats will be listed here." : "Loading…"}</p>}
        {threads.next && <button type="button" id="more" class="quiet" disabled={busy} onClick={older}>{busy ? "Loading…" : "Older chats"}</button>}
      </div>
    );
  }
}

// isPlain reports whether a click is one that the browser would not open elsewhere.
const isPlain = (e: MouseEvent) => e.button === 0 && !(e.ctrlKey || e.metaKey || e.shiftKey || e.altKey);

// newChat takes the keyboard to the message, also if the chat is a new one already.
function newChat(e: MouseEvent, store: Store): void {
  if (!isPlain(e)) return;
  e.preventDefault();
  store.go("");
  document.getElementById("text")?.focus();
}

function Chat({ row, now, open, go }: { row: Row; now: number; open: boolean; go: (id: string) => void }) {
  const click = (e: MouseEvent) => {
    if (!isPlain(e)) return;
    e.preventDefault();
    go(row.thread_id);
  };
  return (
    <li>
      <a href={`#${row.thread_id}`} aria-current={open ? "page" : undefined} onClick={click}>
        <span class="title" dir="auto">{row.title || "Chat"}</span>
        <span class={row.active_run ? "last busy" : "last"} dir="auto">{row.active_run ? "Working…" : plain(row.last_text)}</span>
        <time datetime={row.updated} title={atMoment(row.updated)}>{age(row.updated, now)}</time>
      </a>
    </li>
  );
}
