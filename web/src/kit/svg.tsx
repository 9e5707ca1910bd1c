// What Python has drawn, the same as in reports; scripts in it are never run.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

const NEVER = "script, foreignObject, iframe, object, embed, link, meta, base, form, style";

/** A parsed piece without anything that acts; styles go by the object model, which the policy allows. */
function tamed(root: Element): Element {
  for (const node of [...root.querySelectorAll(NEVER)]) node.remove();
  for (const node of [root, ...root.querySelectorAll("*")]) {
    for (const { name, value } of [...node.attributes])
      if (/^on/i.test(name) || (/^(href|src|xlink:href)$/i.test(name) && !/^(#|data:image\/|blob:)/.test(value))) node.removeAttribute(name);
    node.removeAttribute("style");
  }
  return styled(document.adoptNode(root));
}

// A style that is parsed is refused by the policy, one that is set afterwards is not. Text has its quotes escaped.
const LATER = "data-style";
const parsed = (text: string): Document => new DOMParser().parseFromString(text.replaceAll(' style="', ` ${LATER}="`), "text/html");

function styled(root: Element): Element {
  for (const node of root.querySelectorAll<HTMLElement>(`[${LATER}]`)) apply(node);
  if (root.hasAttribute(LATER)) apply(root as HTMLElement);
  return root;
}

function apply(node: HTMLElement): void {
  for (const rule of (node.getAttribute(LATER) ?? "").split(";")) {
    const at = rule.indexOf(":");
    if (at > 0) node.style.setProperty(rule.slice(0, at).trim(), rule.slice(at + 1).trim());
  }
  node.removeAttribute(LATER);
}

export interface DrawingProps {
  svg: string;
  /** What the picture says, for who does not see it. */
  label: string;
  /** In its own size, to be scrolled. */
  wide?: boolean;
}

export function Drawing({ svg, label, wide }: DrawingProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const read = parsed(svg).querySelector("svg");
    if (read) place.current?.replaceChildren(tamed(read));
  }, [svg]);
  return <div class={wide ? "drawing wide" : "drawing"} role="img" aria-label={label} ref={place} />;
}

/** A piece of a report: paragraphs, tables and drawings that Python has written. */
export function Piece({ html }: { html: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const read = parsed(html).body;
    place.current?.replaceChildren(...tamed(read).childNodes);
  }, [html]);
  return <div class="piece" ref={place} />;
}
