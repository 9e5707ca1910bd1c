// A heat map: rows by columns on a canvas, read and picked with the pointer or the arrow keys.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "./words";

export interface HeatProps {
  /** Where the state of the chart is found: window.__chart[id]. */
  id: string;
  label: string;
  rows: string[];
  columns: string[];
  /** 0 to 1, or -1 to 1 with `signed`; NaN is marked with a cross, null left empty. */
  share: (row: number, column: number) => number | null;
  /** What a cell says, for the pointer and the ear. */
  says: (row: number, column: number) => string;
  signed?: boolean;
  /** The numbers at the ends of the scale. */
  ends: [string, string];
  picked?: [number, number] | undefined;
  onPick?: (row: number, column: number) => void;
}

const ROW = 18;

// Straight lines in Oklab from white to blue, and to vermilion: the colours of the reports.
const CONES = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]];
const OPPONENTS = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];
const TO_CONES = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]];
const TO_RGB = [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965], [-0.0041960863, -0.7034186147, 1.707614701]];
const times = (m: number[][], v: number[]): number[] => m.map((row) => row[0]! * v[0]! + row[1]! * v[1]! + row[2]! * v[2]!);
const toLab = (rgb: number[]): number[] =>
  times(OPPONENTS, times(CONES, rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))).map(Math.cbrt));
const WHITE = toLab([255, 255, 255]), MINUS = toLab([0, 82, 140]), PLUS = toLab([166, 54, 0]);
function mixed(share: number, end: number[]): string {
  const lab = WHITE.map((w, n) => w + share * (end[n]! - w));
  const rgb = times(TO_RGB, times(TO_CONES, lab).map((c) => c ** 3));
  return `rgb(${rgb.map((c) => Math.round(255 * Math.min(1, Math.max(0, c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055)))).join(",")})`;
}
const BLUES = Array.from({ length: 101 }, (_, n) => mixed(n / 100, MINUS)), REDS = Array.from({ length: 101 }, (_, n) => mixed(n / 100, PLUS));
/** The colour of a share: white to blue; with a middle blue, white, vermilion. */
export const heatColor = (share: number, signed = false): string =>
  (signed && share > 0 ? REDS : BLUES)[Math.round(100 * Math.min(1, Math.abs(share)))]!;

export function Heat(props: HeatProps): JSX.Element {
  const { rows, columns } = props;
  const canvas = useRef<HTMLCanvasElement>(null), box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0), [at, setAt] = useState<[number, number]>([0, 0]), [said, setSaid] = useState("");
  const size = width / Math.max(1, columns.length);
  useEffect(() => {
    const watch = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 0));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => draw(canvas.current, props, width), [props, width]);
  useEffect(() => {
    const all = ((window as unknown as { __chart?: Record<string, unknown> }).__chart ??= {});
    all[props.id] = { state: { rows, columns, shares: rows.map((_, r) => columns.map((_, c) => props.share(r, c))) } };
  }, [props]);

  const move = (row: number, column: number): void => {
    const to: [number, number] = [Math.min(rows.length - 1, Math.max(0, row)), Math.min(columns.length - 1, Math.max(0, column))];
    setAt(to);
    setSaid(props.says(...to));
  };
  const key = (event: KeyboardEvent): void => {
    const steps: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (step) move(at[0] + step[0], at[1] + step[1]);
    else if (event.key === "Home") move(at[0], 0);
    else if (event.key === "End") move(at[0], columns.length - 1);
    else if (event.key === "Enter" || event.key === " ") props.onPick?.(...at);
    else return;
    event.preventDefault();
  };
  const place = (event: MouseEvent): [number, number] => {
    const corner = canvas.current!.getBoundingClientRect();
    return [Math.floor((event.clientY - corner.top) / ROW), Math.floor((event.clientX - corner.left) / size)];
  };
  const longest = Math.max(...columns.map((c) => c.length), 1), every = Math.max(1, Math.ceil((9 * longest) / Math.max(size, 0.1)));
  const cursor = props.picked ?? at;
  return (
    <div class="heat">
      <div class="heat-names" aria-hidden="true">{rows.map((name) => <span title={name}>{name.length > 28 ? `…${name.slice(-27)}` : name}</span>)}</div>
      <div class="heat-box" ref={box} tabIndex={0} role="application" aria-roledescription={t("heat map")} onKeyDown={key}
        aria-label={`${props.label}. ${t("Arrow keys read cells, Enter opens one.")}`}>
        <canvas ref={canvas} aria-hidden="true" style={{ width: `${width}px`, height: `${ROW * rows.length}px` }}
          onMouseMove={(event) => move(...place(event))} onClick={(event) => { move(...place(event)); props.onPick?.(...place(event)); }} />
        {rows.length > 0 && <div class="heat-cursor" aria-hidden="true"
          style={{ left: `${cursor[1] * size}px`, top: `${cursor[0] * ROW}px`, width: `${Math.max(3, size)}px`, height: `${ROW}px` }} />}
        <div class="heat-columns" aria-hidden="true">
          {columns.map((name, n) => n % every === 0 && n * size < width - 6 * longest && <span style={{ left: `${n * size}px` }}>{name}</span>)}
        </div>
      </div>
      <p class="note heat-key">
        <span>{props.ends[0]}</span>
        <span class="heat-scale" aria-hidden="true">{Array.from({ length: 24 }, (_, n) => (
          <i style={{ background: heatColor(props.signed ? n / 11.5 - 1 : n / 23, props.signed) }} />))}</span>
        <span>{props.ends[1]}</span>
        <span>{t("× is not finite; empty was not looked at")}</span>
      </p>
      <p class="note" role="status" aria-live="polite">{said || "\u00a0"}</p>
    </div>
  );
}

function draw(canvas: HTMLCanvasElement | null, props: HeatProps, width: number): void {
  const pen = canvas?.getContext("2d");
  if (!canvas || !pen || !width) return;
  const dense = devicePixelRatio || 1, { rows, columns } = props, size = width / Math.max(1, columns.length);
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(ROW * rows.length * dense);
  pen.scale(dense, dense);
  for (let r = 0; r < rows.length; r++) for (let c = 0; c < columns.length; c++) {
    const share = props.share(r, c);
    if (share === null) continue;
    const left = Math.floor(c * size * dense) / dense, right = Math.floor((c + 1) * size * dense) / dense;
    if (!isFinite(share)) {
      pen.fillStyle = "#1d1d1b";
      pen.fillRect(left, r * ROW, right - left, ROW - 1);
      pen.fillStyle = "#ffffff";
      pen.font = "12px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.fillText("×", (left + right) / 2, r * ROW + 13);
    } else {
      pen.fillStyle = heatColor(share, props.signed);
      pen.fillRect(left, r * ROW, right - left, ROW - 1);
    }
  }
}
