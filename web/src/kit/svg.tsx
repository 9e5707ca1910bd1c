// What Python has drawn, the same as in reports; scripts in it are never run.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

const NEVER = "script, foreignObject, iframe, object, embed, link, meta, base, form, style";

/**
 * A written piece as a part of this page, without anything that acts. The policy refuses style attributes, even those
 * of a parsed text, so they are renamed in it (a "<" or ">" of a text is escaped) and go by the object model.
 */
function tamed(markup: string): HTMLElement {
  const read = new DOMParser().parseFromString(markup.replace(/(<[a-zA-Z][^<>]*?)\sstyle=/g, "$1 data-css="), "text/html").body;
  for (const node of [...read.querySelectorAll(NEVER)]) node.remove();
  for (const node of read.querySelectorAll("*")) for (const { name, value } of [...node.attributes])
    if (/^on|^style$/i.test(name) || (/^(href|src|xlink:href)$/i.test(name) && !/^(#|data:image\/|blob:)/.test(value))) node.removeAttribute(name);
  document.adoptNode(read);
  for (const node of read.querySelectorAll<HTMLElement>("[data-css]")) {
    for (const rule of node.dataset.css!.split(";")) {
      const at = rule.indexOf(":");
      if (at > 0) node.style.setProperty(rule.slice(0, at).trim(), rule.slice(at + 1).trim());
    }
    node.removeAttribute("data-css");
  }
  return read;
}

export interface DrawingProps {
  svg: string;
  /** What the picture says, for who does not see it. */
  label: string;
  /** In its own size, to be scrolled. */
  wide?: boolean;
  /** Called with every new drawing, whose parts the page makes controls of: then it is a group, not one picture. */
  onDrawn?: (svg: SVGSVGElement) => void;
}

export function Drawing({ svg, label, wide, onDrawn }: DrawingProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const tame = tamed(svg).querySelector("svg");
    if (!tame) return;
    if (onDrawn) { tame.setAttribute("role", "group"); tame.setAttribute("aria-label", label); }
    place.current?.replaceChildren(tame);
    onDrawn?.(tame);
  }, [svg]);
  return <div class={wide ? "drawing wide" : "drawing"} role={onDrawn ? "group" : "img"} aria-label={label} ref={place} />;
}

/** A piece of a report: paragraphs, tables and drawings that Python has written. */
export function Piece({ html }: { html: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.replaceChildren(...tamed(html).childNodes);
  }, [html]);
  return <div class="piece" ref={place} />;
}
