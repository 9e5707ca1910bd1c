// A small drawing with two axes: points, lines, whiskers; its numbers stand in the figure's table.
import type { ComponentChildren, JSX } from "preact";

export interface Axis { low: number; high: number; title: string; percent?: boolean }
export interface Place { x: (value: number) => number; y: (value: number) => number }

const WIDTH = 340, HEIGHT = 260, LEFT = 50, RIGHT = 24, TOP = 10, BOTTOM = 40;

export function SmallPlot(props: { label: string; x: Axis; y: Axis; children: (place: Place) => ComponentChildren }): JSX.Element {
  const place: Place = {
    x: (value) => LEFT + (value - props.x.low) / (props.x.high - props.x.low || 1) * (WIDTH - LEFT - RIGHT),
    y: (value) => HEIGHT - BOTTOM - (value - props.y.low) / (props.y.high - props.y.low || 1) * (HEIGHT - TOP - BOTTOM),
  };
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} class="small-plot" role="img" aria-label={props.label}>
      {ticks(props.x).map((v) => <g key={`x${v}`}><line class="grid" x1={place.x(v)} x2={place.x(v)} y1={TOP} y2={HEIGHT - BOTTOM} />
        <text x={place.x(v)} y={HEIGHT - BOTTOM + 15} text-anchor="middle">{tick(v, props.x)}</text></g>)}
      {ticks(props.y).map((v) => <g key={`y${v}`}><line class="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={place.y(v)} y2={place.y(v)} />
        <text x={LEFT - 5} y={place.y(v) + 4} text-anchor="end">{tick(v, props.y)}</text></g>)}
      <text x={(LEFT + WIDTH - RIGHT) / 2} y={HEIGHT - 6} text-anchor="middle">{props.x.title}</text>
      <text x={12} y={(TOP + HEIGHT - BOTTOM) / 2} text-anchor="middle" transform={`rotate(-90 12 ${(TOP + HEIGHT - BOTTOM) / 2})`}>{props.y.title}</text>
      {props.children(place)}
    </svg>
  );
}

function ticks({ low, high }: Axis): number[] {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const found: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6 && found.length < 12; v += step) found.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return found;
}

const tick = (value: number, { percent }: Axis): string =>
  percent ? `${Math.round(100 * value)} %` : String(Number(value.toPrecision(3)));
