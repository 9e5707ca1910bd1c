// Many curves over the same epochs as thin lines, with their mean and its band; one may be lit.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "./words";

export interface Bundle { epochs: Float32Array; lines: Float32Array[]; mean: Float32Array; low: Float32Array; high: Float32Array; stored: number }

/** What `/population/curves` sends: counts, epochs, members, mean, low, high. */
export function bundleOf(bytes: ArrayBuffer): Bundle {
  const [members = 0, columns = 0, stored = 0] = new Int32Array(bytes, 0, 3);
  const rows = Array.from({ length: members + 4 }, (_, n) => new Float32Array(bytes, 12 + 4 * columns * n, columns));
  return { epochs: rows[0]!, lines: rows.slice(1, members + 1), mean: rows[members + 1]!, low: rows[members + 2]!, high: rows[members + 3]!, stored };
}

export interface StrandsProps {
  id: string;
  label: string;
  bundle: Bundle;
  lit: number | null;
  onLit: (member: number | null) => void;
  /** Members in the order in which the up and down keys visit them. */
  order: number[];
  names: (member: number) => string;
  log: boolean;
}

const LEFT = 56, RIGHT = 12, TOP = 8, BOTTOM = 24, HEIGHT = 300;
const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const short = (value: number): string => (isFinite(value) ? String(Number(value.toPrecision(4))) : "–");

export function Strands(props: StrandsProps): JSX.Element {
  const { bundle, lit } = props;
  const box = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0), [at, setAt] = useState(-1), [said, setSaid] = useState("");
  const [low, high] = ends(bundle, props.log);
  const last = Math.max(1, bundle.epochs.at(-1) ?? 1), first = Math.min(1, last);
  const x = (epoch: number): number => LEFT + ((width - LEFT - RIGHT) * (epoch - first)) / Math.max(1, last - first);
  const scaled = (value: number): number => (props.log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - scaled(value));
  useEffect(() => {
    const watch = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 0));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const began = performance.now();
    draw(canvas.current, props, width, x, y, [low, high], at);
    const all = ((window as unknown as { __chart?: Record<string, unknown> }).__chart ??= {});
    all[props.id] = { state: { members: bundle.lines.length, epochs: [...bundle.epochs], last: bundle.lines.map((line) => line.at(-1)), mean: [...bundle.mean], lit, took: performance.now() - began } };
  }, [props, width, at]);

  const tell = (column: number): void => {
    const to = Math.min(bundle.epochs.length - 1, Math.max(0, column));
    setAt(to);
    const own = lit === null ? "" : ` ${props.names(lit)}: ${short(bundle.lines[lit]?.[to] ?? NaN)}.`;
    setSaid(t("Epoch {epoch}: mean {mean}, 95 % interval {low} to {high}.", {
      epoch: bundle.epochs[to] ?? 0, mean: short(bundle.mean[to] ?? NaN), low: short(bundle.low[to] ?? NaN), high: short(bundle.high[to] ?? NaN) }) + own);
  };
  const key = (event: KeyboardEvent): void => {
    const place = lit === null ? -1 : props.order.indexOf(lit);
    if (event.key === "ArrowRight") tell(at + 1);
    else if (event.key === "ArrowLeft") tell(at < 0 ? bundle.epochs.length - 1 : at - 1);
    else if (event.key === "ArrowDown") props.onLit(props.order[Math.min(props.order.length - 1, place + 1)] ?? null);
    else if (event.key === "ArrowUp") props.onLit(props.order[Math.max(0, place - 1)] ?? null);
    else if (event.key === "Escape") props.onLit(null);
    else return;
    event.preventDefault();
  };
  const column = (event: MouseEvent): number => {
    const epoch = first + ((event.clientX - box.current!.getBoundingClientRect().left - LEFT) / Math.max(1, width - LEFT - RIGHT)) * (last - first);
    return bundle.epochs.reduce((best, one, n) => (Math.abs(one - epoch) < Math.abs(bundle.epochs[best]! - epoch) ? n : best), 0);
  };
  const pick = (event: MouseEvent): void => {
    const to = column(event), height = event.clientY - canvas.current!.getBoundingClientRect().top;
    let best: number | null = null, least = 12;
    bundle.lines.forEach((line, n) => { const gap = Math.abs(y(line[to]!) - height); if (gap < least) [best, least] = [n, gap]; });
    props.onLit(best);
  };
  return (
    <div class="strands">
      <div ref={box} tabIndex={0} role="application" aria-roledescription={t("chart")} onKeyDown={key}
        aria-label={`${props.label}. ${t("Left and right arrow keys read epochs, up and down light a member, Escape none.")}`}>
        <canvas ref={canvas} aria-hidden="true" style={{ width: `${width}px`, height: `${HEIGHT}px` }} onMouseMove={(event) => tell(column(event))} onClick={pick} />
      </div>
      <p class="note" role="status" aria-live="polite">{said || "\u00a0"}</p>
    </div>
  );
}

function ends(bundle: Bundle, log: boolean): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const line of bundle.lines) for (const value of line) if (isFinite(value) && (!log || value > 0)) { if (value < low) low = value; if (value > high) high = value; }
  if (!isFinite(low)) return log ? [0.1, 1] : [0, 1];
  if (low === high) return log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  return [low, high];
}

function draw(canvas: HTMLCanvasElement | null, props: StrandsProps, width: number, x: (v: number) => number, y: (v: number) => number, [low, high]: [number, number], at: number): void {
  const pen = canvas?.getContext("2d");
  if (!canvas || !pen || width < LEFT) return;
  const dense = devicePixelRatio || 1, { bundle } = props, soft = style("--soft"), blue = style("--s1"), red = style("--s2");
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(HEIGHT * dense);
  pen.scale(dense, dense);
  pen.font = "11px system-ui, sans-serif";
  for (let n = 0; n <= 4; n++) {
    const value = props.log ? low * (high / low) ** (n / 4) : low + ((high - low) * n) / 4;
    pen.strokeStyle = style("--grid");
    pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(LEFT, y(value)); pen.lineTo(width - RIGHT, y(value)); pen.stroke();
    pen.fillStyle = soft; pen.textAlign = "right";
    pen.fillText(String(Number(value.toPrecision(3))), LEFT - 6, y(value) + 4);
  }
  const last = bundle.epochs.at(-1) ?? 1;
  pen.textAlign = "center";
  for (const epoch of new Set([1, Math.round(last / 4), Math.round(last / 2), Math.round((3 * last) / 4), last])) if (epoch >= 1) pen.fillText(String(epoch), x(epoch), HEIGHT - 6);
  const curve = (line: Float32Array): void => {
    pen.beginPath();
    let on = false;
    line.forEach((value, n) => {
      if (!isFinite(value) || (props.log && value <= 0)) { on = false; return; }
      if (on) pen.lineTo(x(bundle.epochs[n]!), y(value)); else pen.moveTo(x(bundle.epochs[n]!), y(value));
      on = true;
    });
    pen.stroke();
  };
  pen.strokeStyle = soft; pen.lineWidth = 1;
  pen.globalAlpha = Math.max(0.12, Math.min(0.7, 20 / Math.max(1, bundle.lines.length)));
  bundle.lines.forEach(curve);
  pen.globalAlpha = 0.25; pen.fillStyle = blue; pen.beginPath();
  const some = [...bundle.epochs.keys()].filter((n) => isFinite(bundle.low[n]!) && isFinite(bundle.high[n]!) && (!props.log || bundle.low[n]! > 0));
  some.forEach((n, k) => (k ? pen.lineTo(x(bundle.epochs[n]!), y(bundle.high[n]!)) : pen.moveTo(x(bundle.epochs[n]!), y(bundle.high[n]!))));
  [...some].reverse().forEach((n) => pen.lineTo(x(bundle.epochs[n]!), y(bundle.low[n]!)));
  pen.fill();
  pen.globalAlpha = 1; pen.strokeStyle = blue; pen.lineWidth = 2.2;
  curve(bundle.mean);
  const own = props.lit === null ? undefined : bundle.lines[props.lit];
  if (own) { pen.strokeStyle = red; pen.lineWidth = 2.4; pen.setLineDash([7, 3]); curve(own); pen.setLineDash([]); }
  if (at >= 0 && at < bundle.epochs.length) {
    pen.strokeStyle = style("--axis"); pen.lineWidth = 1; pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(x(bundle.epochs[at]!), TOP); pen.lineTo(x(bundle.epochs[at]!), HEIGHT - BOTTOM); pen.stroke(); pen.setLineDash([]);
  }
}
