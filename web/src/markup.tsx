// Markdown as elements. What models write becomes text nodes and the elements named here, and nothing else.
import { Component, type ComponentChildren } from "preact";
import { type Block, type Span, readMarkdown } from "./markdown";
import { Code } from "./parts";

// Markdown shows a text. It is read anew only if it changed.
export class Markdown extends Component<{ text: string }> {
  shouldComponentUpdate(next: { text: string }): boolean {
    return next.text !== this.props.text;
  }

  render({ text }: { text: string }) {
    return <div class="markdown">{readMarkdown(text).map(draw)}</div>;
  }
}

const draws = (blocks: Block[]) => blocks.map(draw);

function draw(b: Block, i: number): ComponentChildren {
  switch (b.kind) {
    case "paragraph":
      return <p key={i} dir="auto">{spans(b.spans)}</p>;
    case "heading": {
      const Heading = `h${Math.min(b.level + 2, 6)}` as "h3"; // h1 is the page's, h2 the question's
      return <Heading key={i} dir="auto" class={`h${b.level}`}>{spans(b.spans)}</Heading>;
    }
    case "code":
      return <Code key={i} text={b.text} title={b.language || "code"} label={b.language ? `${b.language} code` : "code"} />;
    case "list": {
      const items = b.items.map((blocks, n) => <li key={n} dir="auto">{itemBlocks(blocks)}</li>);
      return b.ordered ? <ol key={i} start={b.start}>{items}</ol> : <ul key={i}>{items}</ul>;
    }
    case "quote":
      return <blockquote key={i}>{draws(b.blocks)}</blockquote>;
    case "rule":
      return <hr key={i} />;
    case "table":
      return (
        <div key={i} class="table" tabIndex={0} role="region" aria-label="Table">
          <table>
            <thead><tr>{b.head.map((cell, n) => <th key={n} scope="col" class={b.align[n]}>{spans(cell)}</th>)}</tr></thead>
            <tbody>{b.rows.map((row, r) => <tr key={r}>{row.map((cell, n) => <td key={n} class={b.align[n]}>{spans(cell)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      );
  }
}

// itemBlocks shows an item of a tight list without a paragraph around its text.
function itemBlocks(blocks: Block[]): ComponentChildren {
  return blocks.map((b, i) => (b.kind === "paragraph" && i === 0 ? spans(b.spans) : draw(b, i)));
}

function spans(all: Span[]): ComponentChildren {
  return all.map((s, i) => {
    switch (s.kind) {
      case "text":
        return s.text;
      case "code":
        return <code key={i}>{s.text}</code>;
      case "break":
        return <br key={i} />;
      case "strong":
        return <strong key={i}>{spans(s.spans)}</strong>;
      case "em":
        return <em key={i}>{spans(s.spans)}</em>;
      case "del":
        return <del key={i}>{spans(s.spans)}</del>;
      case "link":
        return <a key={i} href={s.href} title={s.href} target="_blank" rel="noopener noreferrer nofollow">{spans(s.spans)}</a>;
    }
  });
}
