// One polite live region for the whole studio: announce("3 runs") is spoken, not shown.
import { signal } from "@preact/signals";
import type { JSX } from "preact";

const said = signal("");

export function announce(text: string): void {
  said.value = said.value === text ? `${text}\u00a0` : text; // the same text again is spoken again
}

export const Spoken = (): JSX.Element => <div class="sr" role="status" aria-live="polite">{said.value}</div>;
