// What asks before it does: renaming and deleting a chat.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { reason } from "./protocol";
import type { Store } from "./store";

export function Dialogs({ store }: { store: Store }) {
  if (store.dialog === "rename") return <Rename store={store} />;
  if (store.dialog === "delete") return <Delete store={store} />;
  return null;
}

interface Props {
  store: Store;
  title: string;
  act: string;
  className: string;
  does: () => Promise<void>;
  children: ComponentChildren;
}

// Dialog is modal: the browser keeps the focus inside, and gives it back.
function Dialog({ store, title, act, className, does, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    await does().catch((thrown) => setProblem(reason(thrown)));
    setBusy(false);
  };
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onCancel={(e) => (e.preventDefault(), store.show(""))}>
      <form onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <p class="problem" role="alert">{problem}</p>
        <div class="row">
          <button type="button" onClick={() => store.show("")}>Cancel</button>
          <button class={className} disabled={busy}>{act}</button>
        </div>
      </form>
    </dialog>
  );
}

function Rename({ store }: { store: Store }) {
  const [title, setTitle] = useState(store.title);
  const rename = async () => {
    if (title.trim()) await store.rename(title.trim());
  };
  return (
    <Dialog store={store} title="Rename this chat" act="Rename" className="primary" does={rename}>
      <label for="title">Title</label>
      <input id="title" value={title} maxLength={store.titleChars} required autoFocus onFocus={(e) => e.currentTarget.select()}
        onInput={(e) => setTitle(e.currentTarget.value)} />
    </Dialog>
  );
}

function Delete({ store }: { store: Store }) {
  return (
    <Dialog store={store} title="Delete this chat?" act="Delete" className="danger" does={() => store.remove()}>
      <p><strong dir="auto">{store.title || "This chat"}</strong> is erased on all your devices, and its answer ends. This cannot be undone.</p>
    </Dialog>
  );
}
