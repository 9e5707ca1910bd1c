// Drawings that Python has made, the same as in reports; scripts in them are never run.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Drawing({ svg, label }: { svg: string; label: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The policy of the page forbids style attributes in markup, not styles that a script sets.
    const plain = svg.replaceAll(' style="', ' data-style="');
    const read = new DOMParser().parseFromString(plain, "image/svg+xml").documentElement;
    for (const node of read.querySelectorAll<SVGElement>("[data-style]")) node.style.cssText = node.dataset.style ?? "";
    for (const node of [...read.querySelectorAll("script, foreignObject")]) node.remove();
    place.current?.replaceChildren(document.adoptNode(read));
  }, [svg]);
  return <div class="drawing" role="img" aria-label={label} ref={place} />;
}
