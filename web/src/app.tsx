// The page: log in, choose a chat, talk.
import { render } from "preact";
import { Chat } from "./chat";
import { Dialogs } from "./dialog";
import { Login } from "./login";
import { Sidebar } from "./sidebar";
import { Store } from "./store";

const root = document.getElementById("page") as HTMLElement;
const store = new Store(draw);

function Page() {
  if (store.phase === "loading") return <p class="loading">Loading…</p>;
  return (
    <>
      {store.phase === "out" ? <Login store={store} /> : (
        <div class={store.menu ? "app menu-open" : "app"}>
          <a class="skip" href="#text" onClick={(e) => (e.preventDefault(), document.getElementById("text")?.focus())}>Skip to the message box</a>
          <Sidebar store={store} />
          <Chat store={store} />
          <Dialogs store={store} />
        </div>
      )}
      <p class="unseen" role="status" aria-live="polite" id="announcer">{store.announcement}</p>
    </>
  );
}

function draw(): void {
  document.title = store.phase === "in" && store.title ? `${store.title} – Switchboard` : "Switchboard";
  render(<Page />, root);
}

addEventListener("keydown", (e) => {
  if (e.key !== "Escape" || e.defaultPrevented || e.isComposing || store.phase !== "in" || store.dialog) return;
  if (store.menu) {
    store.toggleMenu(false);
    document.getElementById("menu")?.focus();
  } else void store.stop();
});

void store.begin();
