// Curves over a common x: every pixel column from its least to its greatest value, live at the head, zoomed with exact values.
// uPlot gives axes, scales and the pointer; the curves are drawn here, so that each has its own x and no extreme is lost.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "./announce";
import uPlot from "uplot";
import { MINUS, NAN, PLUS, type Curve } from "./series";
import { t } from "./words";

export interface Drawn { name: string; curve: Curve; color: number; faint?: boolean }
export interface Band { name: string; color: number; x: number[]; mean: number[]; low: number[]; high: number[] }
export interface Marked { x: number; kind: string; says: string }
export interface CurvesProps {
  id: string;
  label: string;
  lines: Drawn[];
  bands?: Band[];
  marks?: Marked[];
  log?: boolean;
  xlabel: string;
  /** What is shown of x; null follows the head. */
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
  height?: number;
  /** A number that changes when curves were replaced or something was appended from outside. */
  version?: number;
}

interface State { id: string; lines: { name: string; run: string; key: string; x: number[]; min: number[]; max: number[]; first: number[]; last: number[]; odd: number[]; kinds: number[]; smooth: number[]; stored: number; points: number; exact: boolean; step: number }[]; range: [number, number]; drawn: number; first: number; at: number }
interface Handle { readonly state: State; append: (line: number, steps: number[], values: number[]) => void; redraw: () => void }
declare global { interface Window { __chart: Record<string, Handle> } }
window.__chart ??= {};

export const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const CELLS = 1200; // of a curve; it is never drawn with more than twice as many columns
const FEW = 60; // points that are drawn as dots as well
const BIG = 1e300; // beyond it differences are not finite

/** Charts that wait for a picture; several changes of one are drawn once, and no picture takes long: what has no room in it comes with the next. */
const waiting = new Set<() => void>();
const ROOM = 20; // milliseconds of a picture
let coming = false;
const soon = (draw: () => void): void => {
  waiting.add(draw);
  if (!coming) { coming = true; requestAnimationFrame(pictures); }
};
const pictures = (): void => {
  const end = performance.now() + ROOM;
  for (const one of waiting) {
    waiting.delete(one);
    one();
    if (performance.now() > end) break;
  }
  coming = waiting.size > 0;
  if (coming) requestAnimationFrame(pictures);
};
const redraws = new Map<Curve, Set<() => void>>();
const heard = new Map<Curve, Set<() => void>>();
/** Do something whenever points of a curve were appended; the answer ends it. */
export function onTouched(curve: Curve, does: () => void): () => void {
  const all = heard.get(curve) ?? new Set();
  heard.set(curve, all.add(does));
  return () => { all.delete(does); if (!all.size) heard.delete(curve); };
}
/** Points of a curve were appended: whoever draws it does so again. */
export function touched(curve: Curve): void {
  curve.fold(CELLS);
  heard.get(curve)?.forEach((one) => one());
  redraws.get(curve)?.forEach(soon);
}

export function Curves(props: CurvesProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null), now = useRef(props), plot = useRef<Plot | null>(null);
  const [spoken, setSpoken] = useState("");
  now.current = props;
  useEffect(() => {
    const made = new Plot(box.current!, () => now.current);
    plot.current = made;
    window.__chart[props.id] = made;
    return () => { made.end(); if (window.__chart[props.id] === made) delete window.__chart[props.id]; };
  }, [props.id]);
  useEffect(() => plot.current?.changed(), [props.lines, props.bands, props.marks, props.log, props.range, props.version, props.xlabel]);
  const keys = (event: KeyboardEvent): void => {
    const said = plot.current?.key(event);
    if (said === undefined) return;
    event.preventDefault();
    setSpoken(said);
    announce(said);
  };
  return (
    <div class="curves">
      <div class="plot" ref={box} tabIndex={0} role="application" aria-roledescription={t("chart")} onKeyDown={keys} style={{ minHeight: `${props.height ?? 240}px` }}
        aria-label={`${props.label}. ${t("Left and right arrow keys read values, plus and minus zoom, Escape shows everything.")}`} />
      <p class="note spoken">{spoken || "\u00a0"}</p>
    </div>
  );
}

const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colorOf = (n: number): string => style(`--s${1 + (n % 8)}`) || style("--s1") || "#0072b2";

/** A number as it is read: six digits, powers of ten where it is large or small. */
export const figure = (v: number): string => {
  if (!isFinite(v)) return isNaN(v) ? "NaN" : v > 0 ? "+∞" : "−∞";
  const size = Math.abs(v);
  return v === 0 ? "0" : size >= 1e6 || size < 1e-4 ? Number(v.toPrecision(6)).toExponential() : String(Number(v.toPrecision(6)));
};

class Plot implements Handle {
  private chart: uPlot | null = null;
  private readonly watcher: ResizeObserver;
  private readonly seen: IntersectionObserver;
  private readonly theme: MutationObserver;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private visible = true;
  private held: Curve[] = [];
  private cursor = -1;
  /** Values are drawn divided by this: axes need differences that are finite. */
  private unit = 1;
  private view = { x: [0, 1] as [number, number], y: [0, 1] as [number, number], log: false };
  private drawings = 0;
  private at = 0;
  /** When a line was drawn first, in milliseconds. */
  private first = 0;
  private readonly draw = (): void => this.paint();
  /** Paper shows also what is out of sight. */
  private readonly print = (): void => { this.visible = true; this.paint(); };

  constructor(private readonly place: HTMLElement, private readonly props: () => CurvesProps) {
    this.watcher = new ResizeObserver(() => this.size());
    this.watcher.observe(place);
    this.seen = new IntersectionObserver((found) => { this.visible = found.some((one) => one.isIntersecting); if (this.visible) this.redraw(); }, { rootMargin: "300px" });
    this.seen.observe(place);
    this.theme = new MutationObserver(() => this.rebuild());
    this.theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "lang"] });
    this.dark.addEventListener("change", this.rebuild);
    addEventListener("beforeprint", this.print);
    this.changed();
  }

  end(): void {
    this.watcher.disconnect(); this.seen.disconnect(); this.theme.disconnect();
    this.dark.removeEventListener("change", this.rebuild);
    removeEventListener("beforeprint", this.print);
    this.hold([]);
    waiting.delete(this.draw);
    this.chart?.destroy();
  }

  get state(): State {
    return {
      id: this.props().id, range: this.view.x, drawn: this.drawings, first: this.first, at: this.at,
      lines: this.props().lines.map(({ name, curve: c }) => ({
        name, run: c.run, key: c.key, x: c.x, min: c.min, max: c.max, first: c.first, last: c.last, odd: c.odd, kinds: c.kinds, smooth: c.smooth,
        stored: c.stored, points: c.points, exact: c.exact, step: c.step,
      })),
    };
  }

  append(line: number, steps: number[], values: number[]): void {
    const curve = this.props().lines[line]!.curve;
    if (curve.append(steps, values)) touched(curve);
  }

  redraw(): void { soon(this.draw); }

  /** Other curves, or another way to look at them. */
  changed(): void {
    this.hold(this.props().lines.map((one) => one.curve));
    if (this.chart && this.chart.axes[0]!.label === this.props().xlabel && this.view.log === !!this.props().log) this.redraw(); else this.rebuild();
  }

  private hold(curves: Curve[]): void {
    for (const curve of this.held) { redraws.get(curve)?.delete(this.draw); if (!redraws.get(curve)?.size) redraws.delete(curve); }
    this.held = curves;
    for (const curve of curves) redraws.set(curve, (redraws.get(curve) ?? new Set()).add(this.draw));
  }

  private size(): void {
    const width = Math.floor(this.place.clientWidth);
    if (this.chart && width > 0 && width !== this.chart.width) this.chart.setSize({ width, height: this.props().height ?? 240 });
  }

  private readonly rebuild = (): void => {
    this.chart?.destroy();
    const { xlabel, height = 240, log = false } = this.props();
    this.look();
    const ink = style("--ink"), grid = { stroke: style("--grid"), width: 1 }, font = "12px system-ui, sans-serif";
    const axis = { stroke: ink, grid, ticks: grid, font, labelFont: font };
    const width = Math.max(200, Math.floor(this.place.clientWidth));
    this.chart = new uPlot({
      width, height, padding: [8, 12, 0, 0], legend: { show: false },
      scales: { x: { time: false, range: () => this.view.x }, y: { distr: log ? 3 : 1, range: () => this.view.y } },
      axes: [{ ...axis, label: xlabel, labelSize: 18, size: 34, space: 60, values: (_, v) => v.map(plain) },
        { ...axis, size: 66, values: (_, v) => v.map((one) => (one === null ? "" : scaled(one, this.unit))) }],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: 4 } },
      hooks: { draw: [(u) => this.curves(u)], setSelect: [(u) => this.selected(u)] },
    }, [this.view.x, [null, null]] as unknown as uPlot.AlignedData, this.place);
    this.chart.over.addEventListener("dblclick", () => this.props().onRange(null));
  };

  private paint(): void {
    if (!this.chart || !this.visible) return;
    this.look();
    this.chart.batch((chart: uPlot) => chart.setData([this.view.x, [null, null]] as unknown as uPlot.AlignedData)); // drawn when this returns
  }

  /** What is to be seen: the range of x, and of the values within it. */
  private look(): void {
    const { lines, bands = [], range, log = false } = this.props();
    let low = Infinity, high = -Infinity, least = Infinity, most = -Infinity;
    for (const { curve: { x } } of lines) if (x.length) { low = Math.min(low, x[0]!); high = Math.max(high, x[x.length - 1]!); }
    if (!isFinite(low)) [low, high] = [0, 1];
    if (range) [low, high] = range;
    if (high <= low) [low, high] = [low - 0.5, low + 0.5];
    const take = (v: number): void => { if (isFinite(v) && (!log || v > 0)) { if (v < least) least = v; if (v > most) most = v; } };
    for (const { curve: c } of lines) for (let i = from(c.x, low); i < c.x.length && c.x[i]! <= high; i++) { take(c.min[i]!); take(c.max[i]!); if (log) { take(c.first[i]!); take(c.last[i]!); } }
    for (const b of bands) b.x.forEach((x, i) => { if (x >= low && x <= high) { take(b.low[i]!); take(b.high[i]!); } });
    if (!isFinite(least)) [least, most] = log ? [0.1, 1] : [0, 1];
    this.unit = Math.max(Math.abs(least), Math.abs(most)) > BIG ? 1e10 : 1;
    [least, most] = [least / this.unit, most / this.unit];
    if (log) [least, most] = least === most ? [least / 2, most * 2] : [least * 0.9, most * 1.1];
    else { const room = (most - least) * 0.05 || Math.abs(most) * 0.1 || 1; [least, most] = [least - room, most + room]; }
    this.view = { x: [low, high], y: [least, most], log };
  }

  private curves(u: uPlot): void {
    const { lines, bands = [], marks = [] } = this.props(), pen = u.ctx, { left, top, width, height } = u.bbox;
    pen.save();
    pen.beginPath(); pen.rect(left, top, width, height); pen.clip();
    this.marks(u, marks);
    for (const band of bands) this.band(u, band);
    for (const line of lines) this.curve(u, line);
    if (this.cursor >= 0) this.reader(u);
    pen.restore();
    this.drawings += 1;
    this.at = Date.now();
    if (!this.first && lines.length) this.first = this.at;
  }

  private readonly px = (u: uPlot, x: number): number => u.valToPos(x, "x", true);
  private py(u: uPlot, v: number): number {
    const one = v / this.unit;
    return this.view.log && one <= 0 ? u.bbox.top + u.bbox.height : u.valToPos(one, "y", true);
  }

  private curve(u: uPlot, { curve: c, color, faint }: Drawn): void {
    const pen = u.ctx, [low, high] = this.view.x, ratio = devicePixelRatio;
    const start = Math.max(0, from(c.x, low) - 1), n = c.x.length, smoothing = c.smooth.length > 0;
    pen.strokeStyle = pen.fillStyle = colorOf(color);
    pen.lineWidth = (faint ? 0.8 : 1.4) * ratio;
    pen.setLineDash(DASHES[Math.floor(color / 2) % DASHES.length]!.map((d) => d * ratio));
    pen.globalAlpha = smoothing ? 0.35 : faint ? 0.45 : 1;
    pen.beginPath();
    const spots: [number, number][] = [], alone: [number, number][] = [];
    let on = false, at = NaN, first = 0, min = 0, max = 0, last = 0, joined = false;
    const put = (): void => { // what falls on one pixel: from its first value over its least and greatest to its last
      if (isNaN(at)) return;
      const a = this.py(u, first), y = this.py(u, last);
      if (joined) pen.lineTo(at, a); else { pen.moveTo(at, a); alone.push([at, a]); }
      if (max > min) { pen.lineTo(at, this.py(u, min)); pen.lineTo(at, this.py(u, max)); pen.lineTo(at, y); }
      if (spots.length <= FEW) spots.push([at, y]);
      at = NaN;
    };
    for (let i = start; i < n; i++) {
      if (isNaN(c.min[i]!)) { put(); on = false; continue; }
      const x = Math.round(this.px(u, c.x[i]!));
      if (x !== at || !on) { put(); at = x; joined = on; first = c.first[i]!; min = c.min[i]!; max = c.max[i]!; }
      else { if (c.min[i]! < min) min = c.min[i]!; if (c.max[i]! > max) max = c.max[i]!; }
      last = c.last[i]!;
      on = true;
      if (c.x[i]! > high) break;
    }
    put();
    pen.stroke();
    pen.setLineDash([]);
    if (spots.length <= FEW) for (const [x, y] of spots) dot(pen, x, y, 2.2 * ratio);
    else for (const [x, y] of alone) dot(pen, x, y, 1.6 * ratio);
    if (smoothing) this.smooth(u, c, start);
    pen.globalAlpha = 1;
    this.odd(u, c, start);
  }

  private smooth(u: uPlot, c: Curve, start: number): void {
    const pen = u.ctx;
    pen.globalAlpha = 1;
    pen.lineWidth = 2 * devicePixelRatio;
    pen.beginPath();
    for (let i = start; i < c.x.length; i++) if (!isNaN(c.smooth[i]!)) pen.lineTo(this.px(u, c.x[i]!), this.py(u, c.smooth[i]!));
    pen.stroke();
  }

  /** Values that are not finite, at the edge: a triangle up or down for an infinity, a cross for NaN. */
  private odd(u: uPlot, c: Curve, start: number): void {
    const pen = u.ctx, r = 4 * devicePixelRatio, { top, height } = u.bbox;
    pen.strokeStyle = pen.fillStyle = style("--bad") || "#b3261e";
    pen.lineWidth = 1.6 * devicePixelRatio;
    for (let i = start; i < c.x.length; i++) {
      const kinds = c.kinds[i]!;
      if (!kinds) continue;
      const x = this.px(u, c.x[i]!), under = top + height - 1.6 * r, above = top + 1.6 * r;
      pen.beginPath();
      if (kinds & PLUS) { pen.moveTo(x, above - r); pen.lineTo(x + r, above + r); pen.lineTo(x - r, above + r); pen.fill(); }
      pen.beginPath();
      if (kinds & MINUS) { pen.moveTo(x, under + r); pen.lineTo(x + r, under - r); pen.lineTo(x - r, under - r); pen.fill(); }
      pen.beginPath();
      if (kinds & NAN) { const y = under - 2.5 * r; pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r); pen.stroke(); }
    }
  }

  private band(u: uPlot, { x, mean, low, high, color }: Band): void {
    const pen = u.ctx;
    pen.fillStyle = pen.strokeStyle = colorOf(color);
    pen.globalAlpha = 0.18;
    let part: number[] = [];
    const fill = (): void => {
      pen.beginPath();
      for (const i of part) pen.lineTo(this.px(u, x[i]!), this.py(u, high[i]!));
      for (const i of part.reverse()) pen.lineTo(this.px(u, x[i]!), this.py(u, low[i]!));
      pen.fill();
      part = [];
    };
    x.forEach((_, i) => { if (isFinite(low[i]!) && isFinite(high[i]!)) part.push(i); else fill(); });
    fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 2.2 * devicePixelRatio;
    pen.beginPath();
    let on = false;
    x.forEach((at, i) => {
      if (!isFinite(mean[i]!)) { on = false; return; }
      if (on) pen.lineTo(this.px(u, at), this.py(u, mean[i]!)); else pen.moveTo(this.px(u, at), this.py(u, mean[i]!));
      on = true;
    });
    pen.stroke();
  }

  private marks(u: uPlot, marks: Marked[]): void {
    const pen = u.ctx, { top, height } = u.bbox, ratio = devicePixelRatio;
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    const seen = marks.filter(({ x }) => x >= this.view.x[0] && x <= this.view.x[1]).sort((a, b) => a.x - b.x);
    const ends: number[] = []; // where the last word of each row ends: words that stand close are written below one another
    for (const { x, kind, says } of seen) {
      const at = this.px(u, x), color = style(kind === "finding" ? "--warn" : kind === "checkpoint" ? "--axis" : "--s1") || style("--axis");
      pen.strokeStyle = pen.fillStyle = color;
      pen.lineWidth = ratio;
      pen.setLineDash(kind === "checkpoint" ? [2 * ratio, 4 * ratio] : [6 * ratio, 3 * ratio]);
      pen.beginPath(); pen.moveTo(at, top); pen.lineTo(at, top + height); pen.stroke();
      pen.setLineDash([]);
      if (says) {
        const free = ends.findIndex((end) => end < at), row = free < 0 ? ends.length : free;
        ends[row] = at + 6 * ratio + pen.measureText(says).width;
        pen.fillText(says, at + 3 * ratio, top + (12 + 13 * row) * ratio);
      }
      else { pen.beginPath(); pen.moveTo(at - 3 * ratio, top); pen.lineTo(at + 3 * ratio, top); pen.lineTo(at, top + 5 * ratio); pen.fill(); }
    }
  }

  private reader(u: uPlot): void {
    const c = this.held[0];
    if (!c || this.cursor >= c.x.length) return;
    const pen = u.ctx, x = this.px(u, c.x[this.cursor]!);
    pen.strokeStyle = style("--ink");
    pen.lineWidth = devicePixelRatio;
    pen.beginPath(); pen.moveTo(x, u.bbox.top); pen.lineTo(x, u.bbox.top + u.bbox.height); pen.stroke();
  }

  private selected(u: uPlot): void {
    const { left, width } = u.select;
    if (width < 4) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.props().onRange([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
  }

  /** What a key says; nothing if it is none of the chart's. */
  key(event: KeyboardEvent): string | undefined {
    const c = this.held[0], { onRange } = this.props(), [low, high] = this.view.x, wide = high - low;
    if (!c?.x.length || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const a = from(c.x, low), b = Math.max(a, from(c.x, high + Number.EPSILON * Math.abs(high)) - 1), jump = event.shiftKey ? 10 : 1;
    const middle = this.cursor >= 0 && c.x[this.cursor]! >= low && c.x[this.cursor]! <= high ? c.x[this.cursor]! : (low + high) / 2;
    const moves: Record<string, number> = { ArrowLeft: this.cursor - jump, ArrowRight: this.cursor + jump, Home: a, End: b };
    if (event.key in moves) {
      this.cursor = this.cursor < 0 && event.key !== "Home" ? b : Math.min(b, Math.max(a, moves[event.key]!));
      this.redraw();
      return this.said(this.cursor);
    }
    if (event.key === "+" || event.key === "=") onRange([middle - wide / 4, middle + wide / 4]);
    else if (event.key === "-") onRange([middle - wide, middle + wide]);
    else if (event.key === "Escape" || event.key === "0") { this.cursor = -1; onRange(null); return t("Everything is shown"); }
    else return undefined;
    return t("Shown: {a} to {b}", { a: figure(this.view.x[0]), b: figure(this.view.x[1]) });
  }

  /** The values of all lines under the cursor. */
  private said(at: number): string {
    const c = this.held[0]!, x = c.x[at]!;
    const values = this.props().lines.map(({ name, curve }) => {
      const i = curve === c ? at : Math.max(0, from(curve.x, x + Number.EPSILON * Math.abs(x)) - 1);
      if (!curve.x.length || curve.x[i]! > x) return "";
      const odd = curve.odd[i] ? `, ${t("{n} not finite", { n: curve.odd[i]! })}` : "";
      const value = isNaN(curve.min[i]!) ? "" : curve.min[i] === curve.max[i] ? figure(curve.last[i]!) : t("{min} to {max}", { min: figure(curve.min[i]!), max: figure(curve.max[i]!) });
      return `${name}: ${value}${value ? odd : odd.slice(2)}`;
    });
    return `${this.props().xlabel} ${figure(x)}: ${values.filter(Boolean).join("; ")}`;
  }
}

/** The first place whose x is not below a value. */
function from(x: number[], value: number): number {
  let low = 0, high = x.length;
  while (low < high) { const middle = (low + high) >> 1; if (x[middle]! < value) low = middle + 1; else high = middle; }
  return low;
}

function dot(pen: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI); pen.fill();
}

const plain = (v: number): string => (Math.abs(v) >= 1e6 ? v.toExponential(1) : v.toLocaleString("en-US", { maximumFractionDigits: 6 }));

/** A tick in its own unit; a value times the unit may be too large for a number. */
function scaled(v: number, unit: number): string {
  if (unit === 1) return Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-4) ? v.toExponential(1) : String(Number(v.toPrecision(6)));
  const [digits = "0", power = "0"] = v.toExponential(1).split("e");
  return v === 0 ? "0" : `${digits}e+${Number(power) + Math.round(Math.log10(unit))}`;
}
