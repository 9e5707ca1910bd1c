// What is new in the runs that are looked at. One tab of the browser holds the one stream and tells the others:
// a browser has few connections to one server, and every stream would take one for good.
import { signal } from "@preact/signals";
import { num } from "./api";
import { heard, unheard } from "./connection";

export interface RunState { run: string; state: string; written: number }
export interface Watching {
  run: string;
  key: string;
  /** Identity of the folder whose points are known, and the last step of them. */
  id: string;
  step: number;
  points: (steps: number[], values: number[]) => void;
  /** Another folder has taken the place of the run's: ask for everything again. */
  replaced: () => void;
}
type Want = [run: string, key: string, id: string, step: number];
type Row = [run: string, key: string, id: string, steps: number[], values: (number | string)[]];
type Message =
  | { kind: "want"; tab: string; pairs: Want[]; runs: boolean }
  | { kind: "ask" } | { kind: "bye"; tab: string }
  | { kind: "event"; name: string; data: unknown };

const RENEW = 20_000, FORGET = 150_000, AGAIN = 1000; // milliseconds
/** Whether the studio answers: "live", or "wait" while it is tried again. */
export const wired = signal<"live" | "wait">("live");
/** States of runs that are watched, by name, and when something of them came last. */
export const states = signal<Record<string, RunState>>({});
export const heardAt: Record<string, number> = {};
/** Changes of the states of all runs, for whoever asked with `watchRuns`. */
const tellRuns = new Set<(changed: Record<string, string | null>) => void>();

const tab = Math.random().toString(36).slice(2);
const watching = new Set<Watching>();
const channel = new BroadcastChannel("chymist-stream");
const tabs = new Map<string, { pairs: Want[]; runs: boolean; at: number }>();
let leads = false, source: EventSource | null = null, begun = false;
let soon: ReturnType<typeof setTimeout> | undefined, told: ReturnType<typeof setTimeout> | undefined;
/** How far the stream has come, by run and series. */
let reached = new Map<string, { id: string; steps: Map<string, number> }>();

/** Hear what is new of a series; the answer ends it. */
export function watch(one: Watching): () => void {
  begin();
  watching.add(one);
  tell();
  return () => { watching.delete(one); tell(); };
}

/** Hear of new runs, and of runs whose state changes; the answer ends it. */
export function watchRuns(heard: (changed: Record<string, string | null>) => void): () => void {
  begin();
  tellRuns.add(heard);
  if (leads) restart(); else tell(); // whoever is new hears of all runs first
  return () => { tellRuns.delete(heard); tell(); };
}

function begin(): void {
  if (begun) return;
  begun = true;
  channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data);
  addEventListener("pagehide", () => { if (begun) post({ kind: "bye", tab }); });
  addEventListener("pageshow", () => tell());
  setInterval(() => { tell(); }, RENEW);
  const lead = (): Promise<void> => new Promise(() => { leads = true; post({ kind: "ask" }); open(); });
  if (navigator.locks) void navigator.locks.request("chymist-stream", lead); else void lead();
}

const post = (message: Message): void => channel.postMessage(message);
const mine = (): { pairs: Want[]; runs: boolean } =>
  ({ pairs: [...watching].map((w) => [w.run, w.key, w.id, w.step]), runs: tellRuns.size > 0 });

/** Say what this tab wants to hear: to itself if it leads, else to the one that does. */
function tell(): void {
  clearTimeout(told);
  told = setTimeout(() => {
    const want = mine();
    if (leads) wanted(tab, want.pairs, want.runs); else post({ kind: "want", tab, ...want });
  }, 20);
}

function hear(message: Message): void {
  if (message.kind === "event" && !leads) receive(message.name, message.data);
  if (message.kind === "ask") tell();
  if (message.kind === "want" && leads) wanted(message.tab, message.pairs, message.runs);
  if (message.kind === "bye" && leads) { tabs.delete(message.tab); open(); }
}

function wanted(who: string, pairs: Want[], runs: boolean): void {
  const before = tabs.get(who);
  tabs.set(who, { pairs, runs, at: Date.now() });
  for (const [name, one] of tabs) if (name !== tab && Date.now() - one.at > FORGET) tabs.delete(name);
  const behind = pairs.some(([run, key, id, step]) => {
    const known = reached.get(run);
    return !known || !known.steps.has(key) || (known.id === id && step < known.steps.get(key)!) || (id !== known.id && !before);
  });
  const fewer = [...reached].some(([run, { steps }]) => [...steps.keys()].some((key) => !asked(run, key)));
  if (behind || fewer || (runs && !before?.runs)) open();
}

const asked = (run: string, key: string): boolean => [...tabs.values()].some(({ pairs }) => pairs.some((p) => p[0] === run && p[1] === key));

/** Open the stream anew, a moment later: who is there may want more. */
function open(): void {
  if (!leads) return;
  clearTimeout(soon);
  soon = setTimeout(restart, 30);
}

function restart(): void {
  clearTimeout(soon);
  source?.close();
  source = null;
  const before = reached, watch: Record<string, string[]> = {};
  reached = new Map();
  tabs.set(tab, { ...mine(), at: Date.now() });
  for (const { pairs } of tabs.values()) for (const [run, key, id, step] of pairs) {
    const known = reached.get(run) ?? { id, steps: new Map<string, number>() };
    reached.set(run, known);
    known.steps.set(key, Math.min(known.steps.get(key) ?? Infinity, id === known.id ? step : -Infinity));
    const was = before.get(run);
    if (was && was.id !== known.id && was.id) known.id = was.id; // a tab that is behind hears that it is
  }
  const runs = [...tabs.values()].some((one) => one.runs);
  if (!reached.size && !runs) return;
  const after = [...reached].map(([run, { id, steps }]) => {
    watch[run] = [...steps.keys()];
    return `${id}:${[...steps.values()].map((step) => (isFinite(step) ? step : "")).join(",")}`;
  });
  const query = new URLSearchParams({ watch: JSON.stringify(watch), after: after.join(";"), ...(runs ? { runs: "1" } : {}) });
  const opened = new EventSource(`/api/stream?${query}`);
  source = opened;
  opened.onopen = () => spread("wire", "live");
  opened.onerror = () => {
    spread("wire", "wait");
    if (opened.readyState === EventSource.CLOSED && source === opened) soon = setTimeout(restart, AGAIN);
  };
  for (const name of ["points", "state", "resync", "runs"])
    opened.addEventListener(name, (event) => spread(name, JSON.parse((event as MessageEvent<string>).data)));
}

/** Tell this tab and all others. */
function spread(name: string, data: unknown): void {
  if (name === "points") for (const [run, key, id, steps] of (data as { rows: Row[] }).rows) {
    const known = reached.get(run);
    if (known) { known.id = id; known.steps.set(key, steps[steps.length - 1]!); }
  }
  post({ kind: "event", name, data });
  receive(name, data);
}

function receive(name: string, data: unknown): void {
  if (name === "wire") wired.value = data as "live" | "wait";
  if (wired.value === "live") heard(); else unheard();
  if (name === "points") for (const [run, key, id, steps, values] of (data as { rows: Row[] }).rows) {
    heardAt[run] = Date.now();
    for (const one of watching) if (one.run === run && one.key === key) {
      if (one.id && one.id !== id) { one.replaced(); continue; }
      one.id = id;
      one.points(steps, values.map(num));
      one.step = Math.max(one.step, steps[steps.length - 1]!);
    }
  }
  if (name === "state") { const one = data as RunState; states.value = { ...states.value, [one.run]: one }; }
  if (name === "resync") for (const run of (data as { runs: string[] }).runs) for (const one of watching) if (one.run === run) one.replaced();
  if (name === "runs") for (const heard of tellRuns) heard((data as { states: Record<string, string | null> }).states);
}
