// The plane: what the model says everywhere, the boundary, the rows; and points that are drawn by hand.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../kit/announce";
import { lang, t } from "../../kit/words";
import { boundaryOf, colourOf, diverging, isDark, picture } from "./paint";
import { bytes, type About, type Frame, type Overlay } from "./stream";
import { LETTERS, type Point } from "./choice";

const SIZE = 880; // pixels of the canvas, twice those of the page
const NEAR = 26; // pixels within which a point is taken for the one that is meant

export interface PlaneProps {
  about?: About; frame?: Frame; overlay?: Overlay; theme: unknown;
  /** The map of a unit instead of the output, and what to call it. */
  unit?: { map: string; name: string };
  /** Points that are drawn by hand; absent where rows come from elsewhere. */
  drawing?: { points: Point[]; kind: number; change: (points: Point[]) => void; undo: () => void };
}

export const HAND = { low: [-1.2, -1.2] as [number, number], high: [1.2, 1.2] as [number, number] }; // before there is a model

export function Plane(props: PlaneProps): JSX.Element {
  const { about, frame, unit, drawing, overlay } = props;
  const canvas = useRef<HTMLCanvasElement>(null), stroke = useRef<Point[] | undefined>(undefined);
  const [cursor, setCursor] = useState<[number, number]>();
  const low = about?.low ?? HAND.low, high = about?.high ?? HAND.high;
  const toPixel = (x: number, y: number): [number, number] => [(x - low[0]) / (high[0] - low[0]) * SIZE, (1 - (y - low[1]) / (high[1] - low[1])) * SIZE];
  const toPlace = (px: number, py: number): [number, number] => [low[0] + px / SIZE * (high[0] - low[0]), low[1] + (1 - py / SIZE) * (high[1] - low[1])];

  useEffect(() => {
    const pen = canvas.current?.getContext("2d");
    if (!pen) return;
    const dark = isDark(), ink = dark ? "#fff" : "#111";
    pen.clearRect(0, 0, SIZE, SIZE);
    pen.fillStyle = diverging(.5, dark);
    pen.fillRect(0, 0, SIZE, SIZE);
    if (frame) {
      const made = unit ? picture(unit.map, undefined, dark) : picture(frame.map, frame.ranks, dark);
      const small = new OffscreenCanvas(made.width, made.height);
      small.getContext("2d")!.putImageData(made, 0, 0);
      const edge = SIZE / made.width / 2; // points of the grid are at its corners
      pen.drawImage(small, -edge, -edge, SIZE + 2 * edge, SIZE + 2 * edge);
      for (const one of overlay?.maps ?? []) lines(pen, boundaryOf(one), ink, 1.5, [6, 6]);
      if (about?.task === "classification" && !unit) lines(pen, boundaryOf(frame), ink, 4, []);
      if (unit) lines(pen, boundaryOf({ map: unit.map }), ink, 3, [10, 6]);
    }
    const mark = (x: number, y: number, of: number, held: boolean): void => {
      const [px, py] = toPixel(x, y);
      const values = about?.task === "regression" && frame, span = frame?.span ?? [0, 1];
      const colour = values ? diverging((of - span[0]) / (span[1] - span[0] || 1), dark) : (about?.classes.length ?? 2) > 2 ? colourOf(of) : of ? (dark ? "#ffb070" : "#9c3a00") : dark ? "#7cc4ff" : "#00427a";
      shape(pen, px, py, values ? 0 : of, colour, held, ink, dark);
    };
    if (drawing) for (const [x, y, of] of drawing.points) mark(x, y, of, heldOut(about, x, y));
    else about?.points.x.forEach((x, at) => mark(x, about.points.y[at]!, about.points.of[at]!, about.points.valid[at] === 1));
    if (cursor) {
      const [px, py] = toPixel(...cursor);
      lines(pen, [], ink, 2, []);
      pen.beginPath(); pen.moveTo(px - 18, py); pen.lineTo(px + 18, py); pen.moveTo(px, py - 18); pen.lineTo(px, py + 18);
      pen.strokeStyle = ink; pen.lineWidth = 3; pen.stroke();
    }
  }, [frame, unit?.map, about, drawing?.points, cursor, overlay, props.theme, lang.value]);

  const nearest = (x: number, y: number): number => {
    const [px, py] = toPixel(x, y);
    let found = -1, least = NEAR;
    drawing?.points.forEach(([a, b], at) => { const [qx, qy] = toPixel(a, b), far = Math.hypot(px - qx, py - qy); if (far < least) [found, least] = [at, far]; });
    return found;
  };
  const add = (x: number, y: number, kind: number): void => {
    if (!drawing) return;
    const point: Point = [Math.round(x * 1000) / 1000, Math.round(y * 1000) / 1000, kind];
    drawing.change([...drawing.points, point]);
    announce(t("Point of class {kind} at {x}, {y}; {n} points", { kind: LETTERS[kind]!, x: x.toFixed(2), y: y.toFixed(2), n: drawing.points.length + 1 }));
  };
  const erase = (x: number, y: number): void => {
    const at = nearest(x, y);
    if (!drawing || at < 0) return;
    drawing.change(drawing.points.filter((_, n) => n !== at));
    announce(t("Point erased; {n} points", { n: drawing.points.length - 1 }));
  };
  const onKey = (event: KeyboardEvent): void => {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const [x, y] = cursor ?? [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], step = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) {
      const size = event.shiftKey ? 8 : 1, move = (axis: 0 | 1, from: number): number =>
        Math.max(low[axis], Math.min(high[axis], from + size * step[axis] * (high[axis] - low[axis]) / 40));
      const to: [number, number] = [move(0, x), move(1, y)];
      setCursor(to);
      announce(saidAt(about, frame, to, low, high));
    } else if (drawing && (event.key === "Enter" || event.key === " ")) { setCursor([x, y]); drawing.kind < 0 ? erase(x, y) : add(x, y, drawing.kind); }
    else if (drawing && /^[1-4]$/.test(event.key)) { setCursor([x, y]); add(x, y, Number(event.key) - 1); }
    else if (drawing && (event.key === "Delete" || event.key === "Backspace")) erase(x, y);
    else if (drawing && event.key === "u") drawing.undo();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const placeOf = (event: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return toPlace((event.clientX - box.left) / box.width * SIZE, (event.clientY - box.top) / box.height * SIZE);
  };
  const onDown = (event: PointerEvent): void => {
    const at = placeOf(event);
    if (!drawing) { setCursor(at); announce(saidAt(about, frame, at, low, high)); return; }
    canvas.current!.setPointerCapture(event.pointerId);
    if (drawing.kind < 0 || event.shiftKey) { erase(...at); return; }
    stroke.current = [[...at, drawing.kind]];
    add(...at, drawing.kind);
  };
  const onMove = (event: PointerEvent): void => {
    const last = stroke.current?.at(-1), at = placeOf(event);
    if (!last || !drawing) return;
    const [px, py] = toPixel(...at), [qx, qy] = toPixel(last[0], last[1]);
    if (Math.hypot(px - qx, py - qy) < 2 * NEAR) return;
    stroke.current!.push([...at, drawing.kind]);
    add(...at, drawing.kind);
  };
  const names = about?.axes.length ? about.axes : drawing ? ["x1", "x2"] : [t("First principal component"), t("Second principal component")];
  return (
    <div class="plane">
      <canvas
        ref={canvas} width={SIZE} height={SIZE} tabIndex={0} role="application" class={drawing ? "draws" : ""}
        aria-label={drawing ? t("Plane to draw on: arrow keys move the cursor, 1 to 4 add a point of a class, Delete erases, U takes back") : t("Plane: arrow keys move a cursor that reads the model's answer")}
        onKeyDown={onKey} onPointerDown={onDown} onPointerMove={onMove} onPointerUp={() => { stroke.current = undefined; }} onBlur={() => setCursor(undefined)}
      />
      <p class="axis-text note"><span>{names[0]}: {low[0].toPrecision(3)} – {high[0].toPrecision(3)} →</span><span>{names[1]}: {low[1].toPrecision(3)} – {high[1].toPrecision(3)} ↑</span></p>
    </div>
  );
}

const heldOut = (about: About | undefined, x: number, y: number): boolean => {
  const at = about?.points.x.findIndex((px, n) => Math.abs(px - x) < 1e-3 && Math.abs(about.points.y[n]! - y) < 1e-3) ?? -1;
  return at >= 0 && about!.points.valid[at] === 1;
};

function lines(pen: CanvasRenderingContext2D, pieces: [number, number, number, number][], ink: string, width: number, dash: number[]): void {
  const scale = SIZE / 63;
  pen.save();
  pen.strokeStyle = ink; pen.lineWidth = width; pen.setLineDash(dash); pen.lineCap = "round";
  pen.beginPath();
  for (const [a, b, c, d] of pieces) { pen.moveTo(a * scale, SIZE - b * scale); pen.lineTo(c * scale, SIZE - d * scale); }
  pen.stroke();
  pen.restore();
}

/** Classes differ in shape and colour; held-out rows are open. */
function shape(pen: CanvasRenderingContext2D, x: number, y: number, kind: number, colour: string, held: boolean, ink: string, dark: boolean): void {
  const r = 10;
  pen.beginPath();
  if (kind % 4 === 0) pen.arc(x, y, r, 0, 7);
  else if (kind % 4 === 1) pen.rect(x - r + 1, y - r + 1, 2 * r - 2, 2 * r - 2);
  else if (kind % 4 === 2) { pen.moveTo(x, y - r - 1); pen.lineTo(x + r + 1, y + r - 1); pen.lineTo(x - r - 1, y + r - 1); pen.closePath(); }
  else { pen.moveTo(x, y - r - 2); pen.lineTo(x + r + 2, y); pen.lineTo(x, y + r + 2); pen.lineTo(x - r - 2, y); pen.closePath(); }
  pen.fillStyle = held ? (dark ? "#141413" : "#fdfdfa") : colour;
  pen.fill();
  pen.lineWidth = held ? 5 : 3;
  pen.strokeStyle = held ? colour : dark ? "#141413" : "#fff";
  pen.stroke();
  if (held) { pen.lineWidth = 1; pen.strokeStyle = ink; pen.stroke(); }
}

/** What the model says at a place, in words. */
export function saidAt(about: About | undefined, frame: Frame | undefined, [x, y]: [number, number], low: [number, number], high: [number, number]): string {
  const where = `${x.toFixed(2)}, ${y.toFixed(2)}`;
  const said = about && frame ? answerAt(about, frame, x, y, low, high) : "";
  return said ? `${where}: ${said}` : where;
}

export function answerAt(about: About, frame: Frame, x: number, y: number, low = about.low, high = about.high): string {
  const map = bytes(frame.map), side = Math.round(Math.sqrt(map.length));
  const at = (v: number, axis: 0 | 1): number => Math.max(0, Math.min(side - 1, Math.round((v - low[axis]) / (high[axis] - low[axis]) * (side - 1))));
  const place = at(y, 1) * side + at(x, 0), value = map[place]! / 255;
  if (about.task === "regression") return (frame.span[0] + value * (frame.span[1] - frame.span[0])).toPrecision(3);
  const kind = frame.ranks ? bytes(frame.ranks)[place]! : value > .5 ? 1 : 0;
  const share = frame.ranks ? value : Math.max(value, 1 - value);
  return t("{kind} at {share} %", { kind: about.classes[kind] ?? "", share: (100 * share).toFixed(0) });
}

/** How much of the plane each class gets, in words. */
export function shares(about: About, frame: Frame): string {
  if (about.task === "regression") return "";
  const map = bytes(frame.map), kinds = frame.ranks ? bytes(frame.ranks) : map.map((v) => (v > 127 ? 1 : 0));
  return about.classes.map((name, kind) => t("{kind} has {share} % of the plane", { kind: name, share: (100 * kinds.filter((v) => v === kind).length / kinds.length).toFixed(0) })).join(", ");
}
