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
      <a id="new" class="new" href="#" onClick={() => newChat(store)}><Icon name="plus" />New chat</a>
      <List threads={store.threads} version={store.threads.version} open={store.chat.id} busy={store.listing} older={() => store.list(true)} />
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
  older: () => void;
}

// List is drawn anew only if something in it changed: an answer being written is no such thing.
class List extends Component<ListProps> {
  shouldComponentUpdate(next: ListProps): boolean {
    const { threads, version, open, busy } = this.props;
    return next.threads !== threads || next.version !== version || next.open !== open || next.busy !== busy;
  }

  render({ threads, open, busy, older }: ListProps) {
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
            <ul>{rows.map((row) => <Chat key={row.thread_id} row={row} now={now} open={row.thread_id === open} />)}</ul>
          </section>
        ))}
        {!eras.size && <p class="nothing">{threads.loaded ? "Your chats will be listed here." : "Loading…"}</p>}
        {threads.next && <button type="button" id="more" class="quiet" disabled={busy} onClick={older}>{busy ? "Loading…" : "Older chats"}</button>}
      </div>
    );
  }
}

// newChat closes the menu and takes the keyboard to the message, also if the chat is a new one already.
function newChat(store: Store): void {
  store.toggleMenu(false);
  document.getElementById("text")?.focus();
}

function Chat({ row, now, open }: { row: Row; now: number; open: boolean }) {
  return (
    <li>
      <a href={`#${row.thread_id}`} aria-current={open ? "page" : undefined}>
        <span class="title" dir="auto">{row.title || "Chat"}</span>
        <span class={row.active_run ? "last busy" : "last"} dir="auto">{row.active_run ? "Working…" : plain(row.last_text)}</span>
        <time datetime={row.updated} title={atMoment(row.updated)}>{age(row.updated, now)}</time>
      </a>
    </li>
  );
}
