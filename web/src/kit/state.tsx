// How a run stands, as a badge: a word, and a colour that repeats it.
import type { JSX } from "preact";
import { t } from "./words";

const STATES: Record<string, readonly [word: string, tone: string]> = {
  starting: ["Starting", "info run"],
  running: ["Running", "info run"],
  paused: ["Paused", "warn"],
  finished: ["Finished", "ok"],
  stopped: ["Stopped by its user", "ok"],
  diverged: ["Diverged", "bad"],
  interrupted: ["Interrupted", "warn"],
  crashed: ["Crashed, can be resumed", "bad"],
  damaged: ["Damaged", "bad"],
};

/** States of a run that has a process. */
export const LIVE = ["starting", "running", "paused"];

export function State({ state }: { state: string }): JSX.Element {
  const [word, tone] = STATES[state] ?? [state, ""];
  return <span class={`badge ${tone}`}>{t(word)}</span>;
}
