import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, num, ofRun } from "../kit/api";
import { Curves, figure, onTouched, type Band, type Drawn, type Marked, DASHES } from "../kit/curve";
import { Figure, type Numbers } from "../kit/figure";
import { gap, grow, nameOf, useCurves, type Look, type Part } from "../kit/live";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { State } from "../kit/state";
import type { Curve } from "../kit/series";
import { heardAt, states, wired } from "../kit/stream";
import { t } from "../kit/words";

interface Listed { key: string; points: number; first: number; last: number; latest: number | string }
interface Overview {
  series: Listed[]; id: string; unit: string; steps_per_epoch: number | null; clock: boolean;
  state: string; written: number; marks: { step: number; kind: string; says: string }[]; imported: boolean;
}
interface Panel { keys: string[]; gap: boolean }

const FIRST = ["loss", "rate"], MOST = 16, ALIVE = ["running", "starting", "paused"];
// What happened to a run, as it stands beside its mark; codes of findings stand as they are.
const EVENTS = ["pause", "resume", "continue", "branch", "stop", "stop-now", "finish-epoch", "interrupt", "diverge", "refuse"];
const HALVES = [0, 5, 20, 50, 200, 1000];

/** Series of training and of validation stand together, and their gap beside them; every other alone. */
function panelsOf(keys: string[]): Panel[] {
  const found: Panel[] = [], there = new Set(keys), done = new Set<string>();
  const order = [...keys].sort((a, b) => rank(a) - rank(b));
  for (const key of order) {
    if (done.has(key)) continue;
    const rest = key.replace(/^(train|val)_/, ""), pair = [`train_${rest}`, `val_${rest}`];
    const both = rest !== key && pair.every((one) => there.has(one));
    for (const one of both ? pair : [key]) done.add(one);
    found.push({ keys: both ? pair : [key], gap: false });
    if (both) found.push({ keys: pair, gap: true });
  }
  return found;
}
const rank = (key: string): number => (FIRST.indexOf(key) === 0 ? 0 : /^(train|val)_/.test(key) ? 1 : 2);

export default function CurvesPage({ run }: PageProps): JSX.Element {
  const [again, setAgain] = useState(0);
  const { query } = place.value, others = (query.get("with") ?? "").split(",").filter((name) => name && name !== run);
  const runs = [run, ...others];
  const found = useLoaded((signal) => Promise.all(runs.map((name) => get<Overview>(ofRun(name, "series"), signal))), [runs.join("\n"), again]);
  const [last, setLast] = useState<Overview[]>();
  useEffect(() => { if (found.value) setLast(found.value); }, [found.value]);
  const known = last?.length === runs.length ? last : found.value, lives = known?.some((one) => ALIVE.includes(one.state)) ?? false;
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden && lives) setAgain((n) => n + 1); }, 3000);
    return () => clearInterval(timer);
  }, [lives]);
  return (
    <>
      <h1>{t("Curves of {run}", { run })}</h1>
      <Loaded found={known ? { value: known } : found}>{(shown) => <Shown runs={runs} overviews={shown} />}</Loaded>
    </>
  );
}

function Shown({ runs, overviews }: { runs: string[]; overviews: Overview[] }): JSX.Element {
  const { query } = place.value, one = overviews[0]!, asked = query.get("x") ?? "step";
  const epochs = overviews.every((o) => o.steps_per_epoch), clocks = overviews.every((o) => o.clock);
  const axis = (asked === "epoch" && epochs) || (asked === "time" && clocks) ? asked : "step", x = axis;
  const ends = ["from", "to"].map((name) => Number(query.get(name) ?? NaN));
  const range = ends.every(isFinite) ? (ends as [number, number]) : null;
  const smooth = axis === "time" ? 0 : Number(query.get("smooth") ?? 0) || 0, log = query.get("log") === "1";
  const keys = one.series.map((s) => s.key), picked = query.get("keys")?.split(",").filter((key) => keys.includes(key));
  const panels = panelsOf(picked?.length ? picked : keys.slice(0, MOST));
  const scales = overviews.map((o) => (axis === "epoch" ? 1 / o.steps_per_epoch! : 1));
  const parts: Part[] = [...new Set(panels.flatMap((p) => p.keys))].flatMap((key) =>
    runs.map((run, i) => ({ run, key, scale: scales[i]! })).filter((_, i) => overviews[i]!.series.some((s) => s.key === key)));
  const live = useCurves(parts, { x, smooth, range } as Look);
  const move = (to: [number, number] | null): void => setQuery({ from: to ? String(to[0]) : null, to: to ? String(to[1]) : null });
  const label = axis === "step" ? t(one.unit) : axis === "time" ? t("seconds") : t(axis);
  const marks = runs.flatMap((_, i) => (axis === "time" ? [] : overviews[i]!.marks.map((m) => ({ x: m.step * scales[i]!, kind: m.kind, says: EVENTS.includes(m.says) ? t(m.says) : m.says }))));
  return (
    <>
      <Age run={runs[0]!} overview={one} />
      <form class="choices" onSubmit={(event) => event.preventDefault()}>
        <label>{t("Over")} <select value={axis} onChange={(e) => setQuery({ x: e.currentTarget.value, from: null, to: null })}>
          <option value="step">{t(one.unit)}</option>
          {epochs && <option value="epoch">{t("epoch")}</option>}
          {clocks && <option value="time">{t("time")}</option>}
        </select></label>
        <label><input type="checkbox" checked={log} onChange={(e) => setQuery({ log: e.currentTarget.checked ? "1" : null })} /> {t("Logarithmic")}</label>
        <label>{t("Smoothing")} <select value={smooth} disabled={axis === "time"} onChange={(e) => setQuery({ smooth: e.currentTarget.value === "0" ? null : e.currentTarget.value })}>
          {HALVES.map((half) => <option value={half}>{half ? t("half-life {n} points", { n: half }) : t("none")}</option>)}
        </select></label>
        <Others run={runs[0]!} chosen={runs.slice(1)} />
        {keys.length > MOST && <Keys keys={keys} chosen={picked ?? keys.slice(0, MOST)} />}
        <button type="button" disabled={!range} onClick={() => move(null)}>{t("Show everything and follow")}</button>
      </form>
      {!keys.length && <p class="note">{ALIVE.includes(one.state) ? t("Nothing is recorded yet.") : t("This folder has no curves of its own; its overview says what there is.")}</p>}
      {live.errors.map((error) => <p class="error" role="alert">{error}</p>)}
      <div class="panels">
        {panels.map((panel) => <OnePanel key={`${panel.keys.join()} ${panel.gap}`} {...{ panel, runs, overviews, live, look: { x, smooth, range }, log, label, marks, move, scales }} />)}
      </div>
      <p class="note legend-marks">{t("Dotted lines with a triangle are checkpoints; dashed lines with a word are what happened to the run or what the doctor found. A cross at the bottom is NaN, a triangle at the edge an infinity.")}</p>
      <Python run={runs[0]!} keys={panels.flatMap((p) => (p.gap ? [] : p.keys))} />
    </>
  );
}

interface PanelProps {
  panel: Panel; runs: string[]; overviews: Overview[]; live: ReturnType<typeof useCurves>; look: Look; log: boolean; label: string;
  marks: Marked[]; move: (to: [number, number] | null) => void; scales: number[];
}

function OnePanel({ panel, runs, overviews, live, look, log, label, marks, move, scales }: PanelProps): JSX.Element {
  const several = runs.length > 1;
  const lines = useMemo<Drawn[]>(() => {
    const found: Drawn[] = [];
    runs.forEach((run, i) => {
      const curves = panel.keys.map((key) => live.curves.get(nameOf(run, key)));
      if (panel.gap) {
        const [train, held] = curves;
        if (train && held) found.push({ name: several ? run : `${panel.keys[1]} − ${panel.keys[0]}`, curve: gap(held, train), color: i, faint: several });
      } else curves.forEach((curve, k) => {
        if (curve) found.push({ name: [several ? run : "", several && panel.keys.length === 1 ? "" : panel.keys[k]].filter(Boolean).join(" "), curve, color: i * panel.keys.length + k, faint: several });
      });
    });
    return found;
  }, [live.version, runs.join("\n"), panel.keys.join("\n")]);
  useEffect(() => {
    if (!panel.gap) return undefined;
    const ends = lines.map(({ curve }) => {
      const [train, held] = panel.keys.map((key) => live.curves.get(nameOf(curve.run, key))!);
      return onTouched(held!, () => grow(curve, held!, train!));
    });
    return () => ends.forEach((end) => end());
  }, [lines]);
  const bands = useBand(panel, runs, scales, look.x, overviews);
  const [, tick] = useState(0);
  useEffect(() => { const timer = setInterval(() => tick((n) => n + 1), 1000); return () => clearInterval(timer); }, []);
  const name = panel.gap ? t("gap of {key}", { key: panel.keys[1]!.replace(/^val_/, "") }) : panel.keys.join(" · ");
  const listed = overviews[0]!.series.find((s) => s.key === panel.keys[panel.keys.length - 1]);
  const title = panel.gap ? t("{key}: validation minus training", { key: panel.keys[1]!.replace(/^val_/, "") })
    : several ? t("{key} of {n} runs", { key: name, n: runs.length })
    : t("{key}: {value} at {x} {n}", { key: name, value: figure(num(listed?.latest)), x: t(overviews[0]!.unit), n: (listed?.last ?? 0).toLocaleString("en-US") });
  return (
    <Figure title={title} name={`${runs[0]}-${name}`.replaceAll(/[^\w.-]+/g, "-")} note={<Counts lines={lines} look={look} log={log} bands={bands} runs={runs.length} />}
      help={<Help />} numbers={() => numbersOf(lines, label)}>
      <Curves id={panel.gap ? `gap ${panel.keys[1]}` : panel.keys.join(" ")} label={title} lines={lines} bands={bands.band} marks={marks} log={log && !panel.gap}
        xlabel={label} range={look.range} onRange={move} version={live.version} />
      <Legend lines={lines} />
    </Figure>
  );
}

function Legend({ lines }: { lines: Drawn[] }): JSX.Element {
  return (
    <ul class="legend">{lines.map(({ name, color }) => (
      <li><svg class="icon" width="28" height="8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" stroke={`var(--s${1 + (color % 8)}, var(--s1))`} stroke-width="2.5"
        stroke-dasharray={DASHES[Math.floor(color / 2) % DASHES.length]!.join(" ")} /></svg> {name}</li>
    ))}</ul>
  );
}

function Counts({ lines, look, log, bands, runs }: { lines: Drawn[]; look: Look; log: boolean; bands: Bands; runs: number }): JSX.Element {
  const sum = (f: (c: Curve) => number): number => lines.reduce((n, { curve }) => n + f(curve), 0);
  const stored = sum((c) => c.stored), points = sum((c) => c.points), drawn = sum((c) => c.x.length), odd = sum((c) => c.notFinite);
  const exact = lines.every(({ curve }) => curve.exact), n = (v: number): string => v.toLocaleString("en-US");
  const under = log ? sum((c) => c.min.filter((v) => v <= 0).length) : 0;
  const said = [
    exact ? t("{n} points stored, all {shown} of this range drawn", { n: n(stored), shown: n(points) })
      : t("{n} points stored; {shown} of this range drawn as {drawn} columns from least to greatest", { n: n(stored), shown: n(points), drawn: n(drawn) }),
    odd ? t("{n} not finite", { n: n(odd) }) : "",
    under ? t("{n} columns reach zero or below and stand at the foot of the logarithmic axis", { n: n(under) }) : "",
    look.smooth && lines.some(({ curve }) => curve.smooth.length) ? t("thick line: exponential mean over all points, half-life {n} points, without the pull of its start", { n: look.smooth }) : "",
    runs < 2 || !bands.steps ? "" : runs === 2 ? t("band: range of two runs") : t("band: 95 % interval of the mean of {n} runs (Student's t), at {steps} of {all} steps", { n: runs, steps: bands.band[0]?.x.length ?? 0, all: n(bands.steps) }),
  ];
  return <>{said.filter(Boolean).join(" · ")}</>;
}

const Help = (): JSX.Element => (
  <>
    <p>{t("Every point that the run has recorded is in this chart. Where there are more points than pixels, a column reaches from the least to the greatest value, so no spike is left out; zoom in by dragging, or with plus, and the exact values are drawn.")}</p>
    <p>{t("Good: training and validation fall together and level off. Bad: training goes on falling while validation rises (overfitting), or the curve jumps up and does not come back (a rate that is too high).")}</p>
  </>
);

function numbersOf(lines: Drawn[], label: string): Numbers {
  const exact = lines.every(({ curve }) => curve.exact);
  const head = exact ? [t("series"), label, t("value")] : [t("series"), label, t("first"), t("least"), t("greatest"), t("last"), t("not finite")];
  const odd = (kinds: number): string => [kinds & 1 ? "NaN" : "", kinds & 2 ? "+∞" : "", kinds & 4 ? "−∞" : ""].filter(Boolean).join(" ");
  return { head, rows: lines.flatMap(({ name, curve: c }) => c.x.map((x, i) => (exact
    ? [name, x, c.kinds[i] ? odd(c.kinds[i]!) : c.last[i]!]
    : [name, x, c.first[i]!, c.min[i]!, c.max[i]!, c.last[i]!, c.odd[i]!]))) };
}

interface Bands { band: Band[]; steps: number }

/** The mean of several runs with its band, asked for again while one of them trains. */
function useBand(panel: Panel, runs: string[], scales: number[], x: string, overviews: Overview[]): Bands {
  const [found, setFound] = useState<Bands>({ band: [], steps: 0 });
  const key = panel.keys[panel.keys.length - 1]!, on = runs.length > 1 && !panel.gap && x !== "time" && scales.every((s) => s === scales[0]);
  useEffect(() => {
    if (!on) { setFound({ band: [], steps: 0 }); return undefined; }
    const stop = new AbortController(), there = runs.filter((_, i) => overviews[i]!.series.some((s) => s.key === key));
    get<Record<string, (number | string)[]> & { steps: number }>(`/api/band?${new URLSearchParams({ runs: JSON.stringify(there), key })}`, stop.signal).then((band) => {
      const column = (name: string): number[] => (band[name] as (number | string)[]).map(num);
      setFound({ steps: band.steps, band: [{ name: t("mean"), color: 0, x: column("step").map((s) => s * scales[0]!), mean: column("mean"), low: column("low"), high: column("high") }] });
    }, () => undefined);
    return () => stop.abort();
  }, [on, runs.join("\n"), key, scales[0], overviews]);
  return found;
}

/** How old what is shown is: said in words and colour. */
function Age({ run, overview }: { run: string; overview: Overview }): JSX.Element {
  const [, tick] = useState(0);
  useEffect(() => { const timer = setInterval(() => tick((n) => n + 1), 500); return () => clearInterval(timer); }, []);
  const told = states.value[run], state = told?.state ?? overview.state;
  const written = Math.max(told?.written ?? 0, overview.written, (heardAt[run] ?? 0) / 1000), seconds = Math.max(0, Date.now() / 1000 - written);
  const lives = ALIVE.includes(state), odd = overview.series.find((s) => !isFinite(num(s.latest)));
  const kind = wired.value === "wait" || (state === "interrupted" || state === "crashed") ? "bad" : lives && state !== "paused" && seconds > 10 ? "late" : "well";
  const age = seconds < 10 ? seconds.toFixed(1) : seconds < 600 ? String(Math.round(seconds)) : "";
  return (
    <>
      <p class={`age ${kind}`}>
        <State state={state} />{" "}
        {wired.value === "wait" ? t("The studio does not answer: start it again and open the address that it prints. What is shown stays; nothing is lost.")
          : kind === "bad" ? t("The process of this run is gone; chymist resume goes on with it.")
          : lives ? (age ? t("updated {n} s ago", { n: age }) : t("not updated for a long time")) : ""}
      </p>
      {(state === "diverged" || odd) && <p class="error" role="alert">{state === "diverged" ? t("This run diverged: its loss or a weight was not finite.") : t("The latest value of {key} is not finite: the run diverges.", { key: odd!.key })}</p>}
    </>
  );
}

function Others({ run, chosen }: { run: string; chosen: string[] }): JSX.Element {
  const [open, setOpen] = useState(false), [filter, setFilter] = useState("");
  const found = useLoaded((signal) => (open ? get<{ runs: { name: string }[] }>("/api/runs", signal) : Promise.resolve({ runs: [] })), [open]);
  const names = [...new Set([...chosen, ...(found.value?.runs ?? []).map((r) => r.name)])].filter((name) => name !== run);
  const turn = (name: string): void => setQuery({ with: (chosen.includes(name) ? chosen.filter((c) => c !== name) : [...chosen, name]).join(",") || null });
  return (
    <details class="pick" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{chosen.length ? t("Beside {n} runs", { n: chosen.length }) : t("Other runs beside it")}</summary>
      <label>{t("Filter")} <input type="search" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} /></label>
      {names.filter((name) => name.includes(filter)).slice(0, 50).map((name) => (
        <label><input type="checkbox" checked={chosen.includes(name)} disabled={!chosen.includes(name) && chosen.length >= 29} onChange={() => turn(name)} /> {name}</label>
      ))}
    </details>
  );
}

function Keys({ keys, chosen }: { keys: string[]; chosen: string[] }): JSX.Element {
  const [filter, setFilter] = useState("");
  const turn = (key: string): void => setQuery({ keys: (chosen.includes(key) ? chosen.filter((c) => c !== key) : [...chosen, key]).join(",") });
  const order = [...chosen, ...keys.filter((key) => !chosen.includes(key))].filter((key) => key.includes(filter));
  return (
    <details class="pick">
      <summary>{t("{n} of {all} series", { n: chosen.length, all: keys.length })}</summary>
      <label>{t("Filter")} <input type="search" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} /></label>
      {order.slice(0, 60).map((key) => <label><input type="checkbox" checked={chosen.includes(key)} onChange={() => turn(key)} /> {key}</label>)}
    </details>
  );
}

function Python({ run, keys }: { run: string; keys: string[] }): JSX.Element {
  const found = useLoaded((signal) => get<{ python: string }>(ofRun(run, "series/script", { key: keys.join(",") }), signal), [run, keys.join()]);
  return <>{found.value && <Script python={found.value.python} />}</>;
}
