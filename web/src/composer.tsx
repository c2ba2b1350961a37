// The message box.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./parts";
import type { Store } from "./store";

export function Composer({ store }: { store: Store }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const active = store.chat.active;
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${el.scrollHeight}px`;
  }, [store.draft]);
  // A keyboard that covers the screen does not come up by itself.
  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) box.current?.focus();
  }, [store.chat]);
  const send = () => {
    const text = store.draft;
    if (!text.trim() || store.beginning) return;
    store.send(text);
    store.write("");
    if (!box.current) return;
    box.current.value = ""; // what is typed before the next drawing is a new message
    box.current.focus();
  };
  const key = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    send();
  };
  return (
    <form class="composer" onSubmit={(e) => (e.preventDefault(), send())}>
      <div class="box">
        <label for="text" class="unseen">Your message</label>
        <textarea id="text" ref={box} rows={1} placeholder="Write a message" aria-describedby="hint" value={store.draft}
          onInput={(e) => store.write(e.currentTarget.value)} onKeyDown={key} />
        {active && (
          <button type="button" id="stop" class="round stop" aria-label="Stop the answer" title="Stop (Escape)" disabled={active.stopping} onClick={() => store.stop()}>
            <Icon name="stop" />
          </button>
        )}
        <button id="send" class="round primary" aria-label="Send" title="Send (Enter)" disabled={!store.draft.trim() || store.beginning}><Icon name="up" /></button>
      </div>
      {store.agents.length > 1 && (
        <p class="agents">
          <label for="agent">Ask</label>{" "}
          <select id="agent" value={store.agent} onChange={(e) => store.choose(e.currentTarget.value)}>
            {store.agents.map((a) => <option key={a.name} value={a.name} title={a.description}>{a.name}</option>)}
          </select>{" "}
          <span>{store.agents.find((a) => a.name === store.agent)?.description}</span>
        </p>
      )}
      <p id="hint">Enter sends, Shift+Enter begins a new line{active ? ", Escape stops" : ""}.</p>
    </form>
  );
}
