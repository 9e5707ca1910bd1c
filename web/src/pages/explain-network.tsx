// Inside the network: what each layer gives for a row, and the arithmetic of one unit.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get, ofRun } from "../kit/api";
import { Figure } from "../kit/figure";
import { asked } from "../kit/lines";
import { Loaded, useLoaded } from "../kit/load";
import { place, setQuery } from "../kit/route";
import { t } from "../kit/words";

interface Layer { name: string; kind: string; shape: number[]; units: number; opens: boolean }
interface OneMap { unit: number; src: string; height: number; width: number; range: [string, string] }
interface Maps { layer: string; kind: string; shape: number[]; low: string; high: string; units: number; opens: boolean; maps?: OneMap[]; strip?: string; values?: string[] }
interface Sum {
  layer: string; unit: number; place: [number, number]; corner: [number, number]; channels: number; bias: number; total: number; value: number; rest: number;
  tables: { channel: number; patch: number[][]; kernel: number[][]; sum: number }[];
}

export function Network({ run, row, image, classes }: { run: string; row: number; image: boolean; classes: string[] }): JSX.Element {
  const found = useLoaded((signal) => get<{ layers: Layer[] }>(ofRun(run, "explain/network", { row }), signal), [run, row]);
  return (
    <section aria-label={t("Inside the network")}>
      <h2>{t("Inside the network")}</h2>
      <Loaded found={found}>{({ layers }) => {
        if (!layers.length) return <p class="note">{t("This model has no layers to look into.")}</p>;
        const wanted = place.value.query.get("layer"), layer = layers.find((one) => one.name === wanted) ?? layers.find((one) => one.opens) ?? layers[0]!;
        return (
          <>
            <p class="controls"><label>{t("Layer")} <select value={layer.name} onChange={(event) => setQuery({ layer: event.currentTarget.value, unit: null, at: null })}>
              {layers.map((one) => <option value={one.name}>{`${one.name} · ${one.kind} · ${one.shape.join(" × ")}`}</option>)}
            </select></label></p>
            <LayerMaps key={`${row} ${layer.name}`} run={run} row={row} layer={layer.name} />
            {image && <Filters key={`kernels ${layer.name}`} run={run} layer={layer} />}
            {image && <Maximized key={`made ${layer.name}`} run={run} layer={layer} classes={classes} />}
          </>
        );
      }}</Loaded>
    </section>
  );
}

function LayerMaps({ run, row, layer }: { run: string; row: number; layer: string }): JSX.Element {
  const found = useLoaded((signal) => get<Maps>(ofRun(run, "explain/maps", { row, layer }), signal), [run, row, layer]);
  const query = place.value.query, unit = query.get("unit"), at = (query.get("at") ?? "").split(",").map(Number);
  return (
    <Loaded found={found}>{(made) => {
      const maps = made.maps ?? [], chosen = made.opens ? maps.find((one) => String(one.unit) === unit) : undefined;
      const title = t("What layer {layer} gives for row {row}: {n} units, {low} to {high}", { layer: made.layer, row, n: made.units, low: made.low, high: made.high });
      const open = (one: OneMap, line: number, column: number): void => setQuery({ unit: String(one.unit), at: `${line},${column}` });
      return (
        <>
          <Figure title={title} name="maps" note={<>{t("Black is the least and white the largest value of the layer.")} {maps.length < made.units && made.maps ? t("{n} of {all} units are drawn.", { n: maps.length, all: made.units }) : ""} {made.opens && t("Click a place of a map to see what is added up there.")}</>}
            help={<p>{t("Each picture is one unit. Good units differ from each other and light up at something; a unit that is black everywhere has nothing to say about this row.")}</p>}
            {...(made.values ? { numbers: () => ({ head: [t("unit"), t("value")], rows: made.values!.map((v, k) => [k, v]) }) } : {})}>
            {made.strip && <img src={made.strip} class="strip-picture" alt={title} />}
            {made.maps && <ul class="units">{maps.map((one) => (
              <li>{made.opens ? (
                <button type="button" aria-pressed={one === chosen} aria-label={t("unit {n}, {low} to {high}", { n: one.unit, low: one.range[0], high: one.range[1] })} onClick={(event) => {
                  const box = event.currentTarget.querySelector("img")!.getBoundingClientRect();
                  const mouse = event.detail > 0;
                  const spot = (part: number, n: number): number => Math.max(0, Math.min(n - 1, Math.floor(part * n)));
                  open(one, mouse ? spot((event.clientY - box.top) / box.height, one.height) : one.height >> 1, mouse ? spot((event.clientX - box.left) / box.width, one.width) : one.width >> 1);
                }}><img src={one.src} alt="" /></button>
              ) : <img src={one.src} alt={t("unit {n}", { n: one.unit })} />}<span class="note">{one.unit}</span></li>
            ))}</ul>}
          </Figure>
          {chosen && at.length === 2 && at.every((n) => Number.isInteger(n)) && <Arithmetic run={run} row={row} layer={layer} map={chosen} line={at[0]!} column={at[1]!} move={(line, column) => open(chosen, line, column)} />}
        </>
      );
    }}</Loaded>
  );
}

interface ArithmeticProps { run: string; row: number; layer: string; map: OneMap; line: number; column: number; move: (line: number, column: number) => void }

function Arithmetic({ run, row, layer, map, line, column, move }: ArithmeticProps): JSX.Element {
  const found = useLoaded((signal) => get<Sum>(ofRun(run, "explain/unit", { row, layer, unit: map.unit, line, column }), signal), [run, row, layer, map.unit, line, column]);
  const big = useRef<HTMLButtonElement>(null);
  useEffect(() => big.current?.focus(), [map.unit]);
  const clip = (n: number, end: number): number => Math.max(0, Math.min(end - 1, n));
  return (
    <Figure title={t("Unit {unit} of layer {layer} at line {line}, column {column}: patch times kernel, plus bias", { unit: map.unit, layer, line: line + 1, column: column + 1 })} name="unit"
      help={<p>{t("The unit looks at one patch of what the layer before gives. Each number of the patch is multiplied by the weight of the kernel at the same place; all products and the bias are added up. That is all a convolution does.")}</p>}
      {...(found.value ? { numbers: () => numbers(found.value!) } : {})}>
      <div class="arithmetic">
        <button type="button" class="big-map" ref={big} aria-label={t("Place in the map: arrow keys move it")} onKeyDown={(event) => {
          const step = ({ ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] } as Record<string, [number, number]>)[event.key];
          if (!step) return;
          event.preventDefault();
          move(clip(line + step[0], map.height), clip(column + step[1], map.width));
        }} onClick={(event) => {
          if (!event.detail) return;
          const box = event.currentTarget.getBoundingClientRect();
          move(clip(Math.floor((event.clientY - box.top) / box.height * map.height), map.height), clip(Math.floor((event.clientX - box.left) / box.width * map.width), map.width));
        }}>
          <svg viewBox={`0 0 ${map.width} ${map.height}`} aria-hidden="true" preserveAspectRatio="none">
            <image href={map.src} width={map.width} height={map.height} preserveAspectRatio="none" class="pixels" />
            <rect x={column} y={line} width={1} height={1} fill="none" stroke="#d55e00" stroke-width={Math.max(map.width, map.height) / 50} />
          </svg>
        </button>
        <div class="sums" aria-live="polite">
          <Loaded found={found}>{(sum) => (sum.place[0] !== line || sum.place[1] !== column || sum.unit !== map.unit ? <p class="note" aria-busy="true">{t("Loading")} …</p> :
            <>
              <p class="sum"><strong>{`${sum.tables.map((one) => signed(one.sum)).join(" ")}${sum.rest !== 0 || sum.channels > sum.tables.length ? ` ${signed(sum.rest)}` : ""} ${signed(sum.bias)} = ${short(sum.total)}`.replace(/^\+ /, "")}</strong></p>
              <p class="note">{t("{shown} of {all} input channels are shown, those that add most; then the rest, then the bias {bias}. The network itself gives {value}.",
                { shown: sum.tables.length, all: sum.channels, bias: short(sum.bias), value: short(sum.value) })}</p>
              {sum.tables.map((one) => (
                <div class="product">
                  <Grid name={t("patch of channel {n}", { n: one.channel })} values={one.patch} /><span aria-hidden="true">×</span>
                  <Grid name={t("kernel")} values={one.kernel} /><span>{`= ${short(one.sum)}`}</span>
                </div>
              ))}
            </>
          )}</Loaded>
        </div>
      </div>
    </Figure>
  );
}

const short = (value: number): string => Number(value).toPrecision(4).replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1");
const signed = (value: number): string => (value < 0 ? `− ${short(-value)}` : `+ ${short(value)}`);

const numbers = (sum: Sum): { head: string[]; rows: (string | number)[][] } => ({
  head: [t("channel"), t("line"), t("column"), t("patch"), t("kernel"), t("product")],
  rows: [
    ...sum.tables.flatMap((one) => one.patch.flatMap((cells, i) => cells.map((v, j) => [one.channel, i + 1, j + 1, v, one.kernel[i]![j]!, v * one.kernel[i]![j]!]))),
    [t("rest"), "", "", "", "", sum.rest], [t("bias"), "", "", "", "", sum.bias], [t("sum"), "", "", "", "", sum.total], [t("the network gives"), "", "", "", "", sum.value],
  ],
});

function Grid({ name, values }: { name: string; values: number[][] }): JSX.Element {
  const far = Math.max(...values.flat().map(Math.abs)) || 1;
  return (
    <table class="numbers"><caption>{name}</caption><tbody>{values.map((line) => (
      <tr>{line.map((v) => <td style={{ "--a": (Math.abs(v) / far * 0.5).toFixed(2) }} class={v < 0 ? "hit" : "miss"}>{short(v)}</td>)}</tr>
    ))}</tbody></table>
  );
}

function Filters({ run, layer }: { run: string; layer: Layer }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("Kernels of layer {layer}", { layer: layer.name })}</summary>
      {open && (layer.opens ? <Kernels run={run} layer={layer.name} /> : <p class="note">{t("This layer has no kernels.")}</p>)}
    </details>
  );
}

function Kernels({ run, layer }: { run: string; layer: string }): JSX.Element {
  const found = useLoaded((signal) => get<{ units: number; shape: number[]; mean: boolean; pictures: string[] }>(ofRun(run, "explain/filters", { layer }), signal), [run, layer]);
  return (
    <Loaded found={found}>{(made) => (
      <Figure title={t("{n} kernels of {shape}", { n: made.units, shape: made.shape.join(" × ") })} name="kernels"
        note={<>{t("Grey is 0, black and white are minus and plus the largest weight of the unit.")} {made.mean && t("Shown is the mean over the input channels.")} {made.pictures.length < made.units && t("{n} of {all} units are drawn.", { n: made.pictures.length, all: made.units })}</>}>
        <ul class="units">{made.pictures.map((src, k) => <li><img src={src} alt={t("unit {n}", { n: k })} /><span class="note">{k}</span></li>)}</ul>
      </Figure>
    )}</Loaded>
  );
}

interface Made { unit: string; images: string[]; values: string[]; best: { src: string; row: number; rows: number; value: string } }

function Maximized({ run, layer, classes }: { run: string; layer: Layer; classes: string[] }): JSX.Element {
  const [state, setState] = useState<{ made?: Made; error?: string; seconds?: number }>({});
  const [leave, setLeave] = useState<() => void>();
  useEffect(() => () => leave?.(), [leave]);
  const begin = (query: Record<string, string>): void => {
    setState({ seconds: 0 });
    const stop = asked<Made>(ofRun(run, "explain/maximize", query), (line) => {
      if (line.error) setState({ error: [line.error.what, line.error.received, line.error.do].filter(Boolean).join("; ") });
      else if (line.answer) setState({ made: line.answer });
      else setState({ seconds: line.seconds ?? 0 });
    });
    setLeave(() => stop);
  };
  return (
    <details>
      <summary>{t("What excites a unit most")}</summary>
      <form class="controls" onSubmit={(event) => {
        event.preventDefault();
        const unit = String(new FormData(event.currentTarget).get("unit") ?? "");
        const [kind, name = ""] = unit.split(/:(.*)/s);
        begin(kind === "class" ? { unit: name } : { unit: name, layer: layer.name });
      }}>
        <label>{t("Unit")} <select name="unit">
          <optgroup label={t("Classes")}>{classes.map((name) => <option value={`class:${name}`}>{name}</option>)}</optgroup>
          <optgroup label={t("layer {layer}", { layer: layer.name })}>{Array.from({ length: Math.min(layer.units, 256) }, (_, k) => <option value={`unit:${k}`}>{t("unit {n}", { n: k })}</option>)}</optgroup>
        </select></label>
        <button type="submit" disabled={state.seconds !== undefined}>{t("Make images by gradient ascent")}</button>
        {state.seconds !== undefined && <><span role="status" class="note">{t("{n} s", { n: Math.round(state.seconds) })}</span><button type="button" onClick={() => { leave?.(); setState({}); }}>{t("Cancel")}</button></>}
      </form>
      {state.error && <p class="error" role="alert">{state.error}</p>}
      {state.made && (
        <Figure title={t("Made images that unit {unit} responds to, beside the training row that it responds to most", { unit: state.made.unit })} name="maximized"
          note={t("The best of {n} training rows that were looked at.", { n: state.made.best.rows.toLocaleString("en") })}>
          <ul class="maps">
            {state.made.images.map((src, k) => <li><img src={src} alt={t("a made image")} /><span>{t("a made image: {value}", { value: state.made!.values[k] ?? "" })}</span></li>)}
            <li><img src={state.made.best.src} alt={t("row {n}", { n: state.made.best.row })} /><span>{t("training row {n}: {value}", { n: state.made.best.row, value: state.made.best.value })}</span></li>
          </ul>
        </Figure>
      )}
    </details>
  );
}
