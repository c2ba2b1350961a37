// Logging in.
import { useEffect, useRef, useState } from "preact/hooks";
import { Mark } from "./parts";
import type { Store } from "./store";

export function Login({ store }: { store: Store }) {
  const [busy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => (store.user ? password : name).current?.focus(), []);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (!name.current || !password.current) return;
    setBusy(true);
    if (!(await store.logIn(name.current.value, password.current.value))) {
      setBusy(false);
      password.current?.select();
    }
  };
  return (
    <main class="login">
      <form onSubmit={submit} method="post">
        <div class="brand"><Mark /><h1>Switchboard</h1></div>
        <label for="username">Name</label>
        <input id="username" ref={name} name="username" autocomplete="username" autocapitalize="none" spellcheck={false} required
          defaultValue={store.user?.name} />
        <label for="password">Password</label>
        <input id="password" ref={password} name="password" type="password" autocomplete="current-password" required />
        <button class="primary" disabled={busy}>{busy ? "Logging in…" : "Log in"}</button>
        <p class="problem" role="alert">{store.loginNote}</p>
      </form>
    </main>
  );
}
