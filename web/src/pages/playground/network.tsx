// The network: a picture of what each hidden unit says over the plane, and weights as edges.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../kit/words";
import { diverging, isDark, picture } from "./paint";
import type { About, Frame } from "./stream";

const UNIT = 46, ROW = 58, COLUMN = 112, TOP = 26, LEFT = 64;
export interface UnitPlace { layer: number; unit: number }

export function Network(props: { about: About; frame: Frame; theme: unknown; pinned?: UnitPlace; show: (unit?: UnitPlace) => void; pin: (unit?: UnitPlace) => void }): JSX.Element {
  const { about, frame, pinned } = props;
  const names = about.inputs.slice(0, 8);
  const outputs = frame.weights.at(-1)?.length ?? 0;
  const sizes = [names.length, ...frame.units.map((layer) => layer.length), outputs];
  const most = Math.max(...sizes), height = TOP + most * ROW, width = LEFT + (sizes.length - 1) * COLUMN + 96;
  const x = (layer: number): number => LEFT + layer * COLUMN;
  const y = (layer: number, unit: number): number => TOP + (most - sizes[layer]!) * ROW / 2 + unit * ROW + UNIT / 2;
  const dark = isDark();
  const edges = frame.weights.flatMap((matrix, layer) => {
    const largest = Math.max(1e-9, ...matrix.flat().map(Math.abs));
    return matrix.flatMap((row, to) => row.map((weight, from) => (
      <line
        x1={x(layer) + (layer ? UNIT / 2 : 0)} y1={y(layer, from)} x2={x(layer + 1) - UNIT / 2} y2={y(layer + 1, to)}
        stroke={diverging(weight > 0 ? .92 : .08, dark)} stroke-width={.6 + 4 * Math.abs(weight) / largest} stroke-dasharray={weight < 0 ? "6 4" : undefined} stroke-opacity=".8"
      />
    )));
  });
  const labels = sizes.map((_, layer) => layer === 0 ? t("Inputs") : layer < sizes.length - 1 ? t("Hidden layer {n}", { n: layer }) : t("Output"));
  const outputName = (unit: number): string => about.task === "regression" ? about.target : (outputs === 1 ? about.classes[1] : about.classes[unit]) ?? "";
  return (
    <div class="scroll" role="group" aria-label={t("Network")}>
      <div class="network" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg class="icon" width={width} height={height} aria-hidden="true">
          {edges}
          {labels.map((label, layer) => <text x={x(layer)} y={12} text-anchor={layer === 0 ? "end" : "middle"} class="lead">{label}</text>)}
          {names.map((name, at) => <text x={x(0) - 6} y={y(0, at) + 4} text-anchor="end">{name.slice(0, 9)}</text>)}
          {Array.from({ length: outputs }, (_, at) => <text x={x(sizes.length - 1) - UNIT / 2 + 6} y={y(sizes.length - 1, at) + 4}>{outputName(at).slice(0, 10)}</text>)}
        </svg>
        {frame.units.map((layer, at) => layer.map((map, unit) => (
          <button
            type="button" class="unit" aria-pressed={pinned?.layer === at && pinned.unit === unit} aria-label={t("Hidden layer {n}, unit {unit}", { n: at + 1, unit: unit + 1 })}
            style={{ left: `${x(at + 1) - UNIT / 2}px`, top: `${y(at + 1, unit) - UNIT / 2}px` }}
            onMouseEnter={() => props.show({ layer: at, unit })} onMouseLeave={() => props.show()}
            onFocus={() => props.show({ layer: at, unit })} onBlur={() => props.show()}
            onClick={() => props.pin(pinned?.layer === at && pinned.unit === unit ? undefined : { layer: at, unit })}
          ><Small map={map} theme={props.theme} /></button>
        )))}
      </div>
    </div>
  );
}

function Small({ map, theme }: { map: string; theme: unknown }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const made = picture(map, undefined, isDark());
    canvas.current!.width = canvas.current!.height = made.width;
    canvas.current!.getContext("2d")!.putImageData(made, 0, 0);
  }, [map, theme]);
  return <canvas ref={canvas} aria-hidden="true" />;
}
