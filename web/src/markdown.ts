// Markdown as data: what models write, read into blocks and spans. Nothing here makes markup. Reading never fails, and
// takes time in proportion to the text.

export type Span =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "em" | "del"; spans: Span[] }
  | { kind: "link"; href: string; spans: Span[] }
  | { kind: "break" };

export type Align = "left" | "center" | "right" | "";

export type Block =
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "heading"; level: number; spans: Span[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "table"; align: Align[]; head: Span[][]; rows: Span[][][] }
  | { kind: "rule" };

const deepest = 12; // blocks in blocks, spans in spans
const mostLabel = 1000; // characters of a link's text
const mostAddress = 2000;
const fence = /^ {0,3}(`{3,}|~{3,}(?!~))([^`]*)$/;
const heading = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const rule = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const item = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)(.*)$/;
const quote = /^ {0,3}> ?(.*)$/;
const delimiter = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/;

// readMarkdown reads a text.
export function readMarkdown(text: string): Block[] {
  return readBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

function readBlocks(lines: string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let words: string[] = []; // lines of an open paragraph
  const close = () => {
    if (words.length) blocks.push({ kind: "paragraph", spans: readSpans(words.map((l) => l.trim()).join("\n")) });
    words = [];
  };
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] ?? "";
    const [block, next] = (depth < deepest && special(lines, i, words.length > 0, depth)) || [null, i];
    if (block) {
      close();
      blocks.push(block);
      i = next;
      continue;
    }
    if (line.trim()) words.push(line);
    else close();
    i++;
  }
  close();
  return blocks;
}

// special reads the block that begins at a line, if it is no paragraph. inside says that a paragraph is open.
function special(lines: string[], i: number, inside: boolean, depth: number): [Block, number] | null {
  const line = lines[i] ?? "";
  let m;
  if ((m = fence.exec(line))) return readFence(lines, i, m[1] ?? "", (m[2] ?? "").trim().split(/\s/)[0] ?? "");
  if ((m = heading.exec(line))) return [{ kind: "heading", level: (m[1] ?? "").length, spans: readSpans(withoutMarks(m[2] ?? "")) }, i + 1];
  if (rule.test(line)) return [{ kind: "rule" }, i + 1];
  if (quote.test(line)) {
    const inner: string[] = [];
    for (; i < lines.length && (m = quote.exec(lines[i] ?? "")); i++) inner.push(m[1] ?? "");
    return [{ kind: "quote", blocks: readBlocks(inner, depth + 1) }, i];
  }
  if ((m = item.exec(line)) && (m[4] || !inside)) return readList(lines, i, depth);
  if (line.includes("|") && !inside && delimiter.test((lines[i + 1] ?? "").trimEnd())) return readTable(lines, i);
  return null;
}

// withoutMarks is a heading without the marks that may close it.
function withoutMarks(text: string): string {
  text = text.trimEnd();
  let end = text.length;
  while (text[end - 1] === "#") end--;
  return end === 0 || /\s/.test(text[end - 1] ?? "") ? text.slice(0, end).trimEnd() : text;
}

// readFence reads a block of code; one that is not closed yet goes to the end.
function readFence(lines: string[], i: number, mark: string, language: string): [Block, number] {
  const body: string[] = [];
  const indent = /^ */.exec(lines[i] ?? "")?.[0].length ?? 0;
  for (i++; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const end = line.trim();
    if (end.length >= mark.length && end === (mark[0] ?? "").repeat(end.length) && /^ {0,3}\S/.test(line)) return [{ kind: "code", language, text: body.join("\n") }, i + 1];
    body.push(line.slice(Math.min(indent, /^ */.exec(line)?.[0].length ?? 0)));
  }
  return [{ kind: "code", language, text: body.join("\n") }, i];
}

function readList(lines: string[], i: number, depth: number): [Block, number] {
  const begin = item.exec(lines[i] ?? "");
  const mark = begin?.[2] ?? "-";
  const ordered = /\d/.test(mark);
  const kind = mark.at(-1);
  const items: Block[][] = [];
  while (i < lines.length) {
    const m = item.exec(lines[i] ?? "");
    if (!m || m[2]?.at(-1) !== kind || rule.test(lines[i] ?? "")) break;
    const width = (m[1] ?? "").length + (m[2] ?? "").length + Math.min(Math.max((m[3] ?? "").length, 1), 4);
    const inner = [m[4] ?? ""];
    let fenced = false;
    for (i++; i < lines.length; i++) {
      const line = lines[i] ?? "";
      const indent = /^ */.exec(line)?.[0].length ?? 0;
      if (!line.trim()) {
        // Blank lines belong to the item if what follows does.
        const next = lines.slice(i, i + 3).find((l) => l.trim());
        if (next === undefined || (/^ */.exec(next)?.[0].length ?? 0) < Math.min(width, 2)) break;
        inner.push("");
        continue;
      }
      if (indent >= Math.min(width, 2) || fenced) inner.push(line.slice(Math.min(indent, width)));
      else if (!inner.at(-1) || item.test(line) || fence.test(line) || heading.test(line) || quote.test(line) || rule.test(line)) break;
      else inner.push(line); // a paragraph that goes on
      if (fence.test(inner.at(-1) ?? "")) fenced = !fenced;
    }
    items.push(readBlocks(inner, depth + 1));
    const after = i;
    while (i < lines.length && !(lines[i] ?? "").trim()) i++;
    const following = item.exec(lines[i] ?? "");
    if (!following || following[2]?.at(-1) !== kind) {
      i = after;
      break;
    }
  }
  return [{ kind: "list", ordered, start: ordered ? parseInt(mark, 10) : 1, items }, i];
}

function readTable(lines: string[], i: number): [Block, number] {
  const align = cells(lines[i + 1] ?? "").map((c): Align =>
    c.endsWith(":") ? (c.startsWith(":") ? "center" : "right") : c.startsWith(":") ? "left" : "");
  const row = (line: string) => {
    const all = cells(line);
    return align.map((_, c) => readSpans(all[c] ?? ""));
  };
  const head = row(lines[i] ?? "");
  const rows: Span[][][] = [];
  for (i += 2; i < lines.length && (lines[i] ?? "").includes("|"); i++) rows.push(row(lines[i] ?? ""));
  return [{ kind: "table", align, head, rows }, i];
}

// cells splits a row of a table at the bars that are not escaped.
function cells(line: string): string[] {
  const out: string[] = [];
  let cell = "";
  const text = line.trim().replace(/^\|/, "");
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\" && text[i + 1] === "|") cell += text[++i];
    else if (text[i] === "|") {
      out.push(cell.trim());
      cell = "";
    } else cell += text[i];
  }
  if (cell.trim()) out.push(cell.trim());
  return out;
}

// safeURL gives a URL that a link may have, "" for any other.
export function safeURL(text: string): string {
  if (!URL.canParse(text)) return "";
  const url = new URL(text);
  return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : "";
}

const letter = /[\p{L}\p{N}]/u;
const punctuation = /[!-/:-@[-`{-~]/;
const bareURL = /https?:\/\/[^\s<>"'`]{1,2000}/y;
const marks: [string, (spans: Span[]) => Span][] = [
  ["***", (spans) => ({ kind: "strong", spans: [{ kind: "em", spans }] })],
  ["**", (spans) => ({ kind: "strong", spans })],
  ["__", (spans) => ({ kind: "strong", spans })],
  ["~~", (spans) => ({ kind: "del", spans })],
  ["*", (spans) => ({ kind: "em", spans })],
  ["_", (spans) => ({ kind: "em", spans })],
];

// readSpans reads what is within a block.
export function readSpans(text: string, depth = 0): Span[] {
  const out: Span[] = [];
  const dead = new Set<string>(); // marks that close nowhere in the rest
  let plain = "";
  const add = (span: Span) => {
    if (plain) out.push({ kind: "text", text: plain });
    plain = "";
    out.push(span);
  };
  for (let i = 0; i < text.length; ) {
    const c = text[i] ?? "";
    if (c === "\\" && punctuation.test(text[i + 1] ?? "")) {
      plain += text[i + 1];
      i += 2;
      continue;
    }
    if (c === "\n") {
      add({ kind: "break" });
      i++;
      continue;
    }
    const [span, next] = (depth < deepest && readSpan(text, i, depth, dead)) || [null, i];
    if (span) {
      add(span);
      i = next;
      continue;
    }
    const run = /[`*_~]/.test(c) ? runAt(text, i) : 1;
    plain += text.slice(i, i + run);
    i += run;
  }
  if (plain) out.push({ kind: "text", text: plain });
  return out;
}

// runAt counts the characters from i on that are the same.
function runAt(text: string, i: number): number {
  let n = 1;
  while (text[i + n] === text[i]) n++;
  return n;
}

// readSpan reads the span that begins at i, if one does.
function readSpan(text: string, i: number, depth: number, dead: Set<string>): [Span, number] | null {
  switch (text[i]) {
    case "`":
      return readCode(text, i, dead);
    case "*":
    case "_":
    case "~":
      return readMark(text, i, depth, dead);
    case "!":
      return text[i + 1] === "[" ? readLink(text, i + 1, depth) : null;
    case "[":
      return readLink(text, i, depth);
    case "<":
      return readAngle(text, i);
    case "h":
      return letter.test(text[i - 1] ?? "") ? null : readBare(text, i);
  }
  return null;
}

function readCode(text: string, i: number, dead: Set<string>): [Span, number] | null {
  const n = runAt(text, i);
  const mark = "`".repeat(n);
  if (dead.has(mark)) return null;
  for (let j = text.indexOf(mark, i + n); j >= 0; j = text.indexOf(mark, j)) {
    const m = runAt(text, j);
    if (m === n) return [{ kind: "code", text: inner(text.slice(i + n, j).replaceAll("\n", " ")) }, j + n];
    j += m;
  }
  dead.add(mark);
  return null;
}

// inner takes away the spaces that keep code apart from its marks.
function inner(code: string): string {
  return code.startsWith(" ") && code.endsWith(" ") && code.trim() ? code.slice(1, -1) : code;
}

function readMark(text: string, i: number, depth: number, dead: Set<string>): [Span, number] | null {
  const run = runAt(text, i);
  const found = marks.find(([mark]) => mark[0] === text[i] && mark.length <= run);
  if (!found || run > 3) return null;
  const [mark, make] = found;
  const inWord = mark === "*" || text[i] === "_"; // 2*3*4 and snake_case_names are no emphasis
  if (dead.has(mark) || mark.length < run || !/\S/.test(text[i + run] ?? "") || (inWord && letter.test(text[i - 1] ?? ""))) return null;
  for (let j = i + run; j < text.length; ) {
    if (text[j] === "\\") {
      j += 2;
    } else if (text[j] === mark[0]) {
      const n = runAt(text, j);
      const closes = n === run && j > i + run && /\S/.test(text[j - 1] ?? "") && !(inWord && letter.test(text[j + n] ?? ""));
      if (closes) return [make(readSpans(text.slice(i + run, j), depth + 1)), j + n];
      j += n;
    } else j++;
  }
  dead.add(mark);
  return null;
}

// readLink reads [label](address). What is no safe address stays text.
function readLink(text: string, i: number, depth: number): [Span, number] | null {
  const middle = i + text.slice(i, i + mostLabel).indexOf("](");
  if (middle < i || text.slice(i + 1, middle).includes("[")) return null;
  let open = 1;
  let end = middle + 2;
  for (; end < text.length && end - middle < mostAddress && open > 0; end++) {
    if (text[end] === "(") open++;
    else if (text[end] === ")") open--;
    else if (text[end] === "\n") return null;
  }
  if (open > 0) return null;
  const whole = text.slice(middle + 2, end - 1).trim();
  const space = whole.search(/\s/);
  const title = space < 0 ? "" : whole.slice(space).trim();
  if (title && (title.length < 2 || title[0] !== title.at(-1) || !`"'`.includes(title[0] ?? ""))) return null;
  const address = (space < 0 ? whole : whole.slice(0, space)).replace(/^<(.*)>$/, "$1");
  const href = safeURL(address);
  if (!href) return null;
  const label = text.slice(i + 1, middle).trim();
  return [{ kind: "link", href, spans: label ? plainSpans(readSpans(label, depth + 1)) : [{ kind: "text", text: address }] }, end];
}

// plainSpans takes links out: a link holds none.
function plainSpans(spans: Span[]): Span[] {
  return spans.flatMap((s): Span[] => (s.kind === "link" ? s.spans : [s]));
}

function readAngle(text: string, i: number): [Span, number] | null {
  const end = i + text.slice(i, i + mostAddress).indexOf(">");
  if (end < i) return null;
  const address = text.slice(i + 1, end);
  const href = /\s/.test(address) ? "" : safeURL(address);
  return href ? [{ kind: "link", href, spans: [{ kind: "text", text: address }] }, end + 1] : null;
}

function readBare(text: string, i: number): [Span, number] | null {
  bareURL.lastIndex = i;
  let address = bareURL.exec(text)?.[0] ?? "";
  address = address.replace(/[.,;:!?*_~)\]]+$/, (tail) => (address.includes("(") && tail.startsWith(")") ? ")" : ""));
  const href = address && safeURL(address);
  return href ? [{ kind: "link", href, spans: [{ kind: "text", text: address }] }, i + address.length] : null;
}
