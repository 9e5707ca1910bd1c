// Whether the studio still answers. A stream of live data says so itself with `heard` and `unheard`.
import { signal } from "@preact/signals";

export type Wire = "live" | "wait" | "gone" | "other";
/** live: it answers; wait: tried again; gone: nothing answers; other: it was started anew and needs its address. */
export const wire = signal<Wire>("live");
const PATIENCE = 15_000, EVERY = 5_000; // milliseconds
let last = Date.now();

/** Something came from the studio. */
export function heard(): void {
  last = Date.now();
  wire.value = "live";
}

/** Something that should have come did not. */
export function unheard(): void {
  if (wire.value !== "other") wire.value = Date.now() - last > PATIENCE ? "gone" : "wait";
}

async function look(): Promise<void> {
  try {
    const answer = await fetch("/api/session", { cache: "no-store" });
    if (answer.status === 401) wire.value = "other"; else heard();
  } catch { unheard(); }
}

setInterval(() => {
  if (!document.hidden && (wire.value !== "live" || Date.now() - last > EVERY)) void look();
}, EVERY);
