// Drawings that Python has made, the same as in reports; scripts in them are never run.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Drawing({ svg, label }: { svg: string; label: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const read = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    for (const node of [...read.querySelectorAll("script, foreignObject")]) node.remove();
    place.current?.replaceChildren(document.adoptNode(read));
  }, [svg]);
  return <div class="drawing" role="img" aria-label={label} ref={place} />;
}
