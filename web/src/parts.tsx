// Small parts that others are made of.
import { useState } from "preact/hooks";
import { pretty } from "./words";

const paths = {
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  pencil: "M4 20l4-1L19 8l-3-3L5 16l-1 4zM14 7l3 3",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v5M14 11v5",
  up: "M12 19V6M6 12l6-6 6 6",
  down: "M12 5v13M6 12l6 6 6-6",
  stop: "M7 7h10v10H7z",
  leave: "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
  close: "M6 6l12 12M18 6L6 18",
  good: "M7 11v9H4v-9zM7 11l4-8c1.8 0 2.6 1.2 2.2 3l-.7 3.5H19a2 2 0 0 1 2 2.4l-1.3 6.5A2 2 0 0 1 17.7 20H7",
  bad: "M7 13V4H4v9zM7 13l4 8c1.8 0 2.6-1.2 2.2-3l-.7-3.5H19a2 2 0 0 0 2-2.4l-1.3-6.5A2 2 0 0 0 17.7 4H7",
};

export function Icon({ name }: { name: keyof typeof paths }) {
  return <svg class={`icon ${name}`} viewBox="0 0 24 24" aria-hidden="true"><path d={paths[name]} /></svg>;
}

// Mark is the page's sign.
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M9 10c7 0 7 12 14 12M9 22h3M20 10h3" />
    </svg>
  );
}

// Copy puts a text on the clipboard. label is what screen readers say, words what is seen.
export function Copy({ text, label, words = "Copy" }: { text: string; label?: string; words?: string }) {
  const [said, say] = useState("");
  const copy = async () => {
    const done = await copyText(text);
    say(done ? "Copied" : "Not copied");
    setTimeout(() => say(""), 2000);
  };
  return <button type="button" class="copy" onClick={copy} aria-label={said ? undefined : label}>{said || words}</button>;
}

// copyText works without a secure context too, where the clipboard is not to be had.
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}

// Code is a block of code, or of anything that is shown as it is.
export function Code({ text, title, label }: { text: string; title: string; label?: string }) {
  return (
    <figure class="code">
      <figcaption><span>{title}</span><Copy text={text} label={`Copy ${label ?? title}`} /></figcaption>
      <pre tabIndex={0} aria-label={label ?? title} role="region"><code>{text}</code></pre>
    </figure>
  );
}

// Value is arguments or a result.
export function Value({ title, value, of }: { title: string; value: unknown; of: string }) {
  return <Code text={pretty(value)} title={title} label={`${title} of ${of}`} />;
}
