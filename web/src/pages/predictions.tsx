import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get, num, ofRun } from "../kit/api";
import { Answer, type Example, ExampleList, ShownRow, wordOf } from "../kit/examples";
import { Figure, Table } from "../kit/figure";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { SmallPlot } from "../kit/small-plot";
import { Drawing } from "../kit/svg";
import { lang, t } from "../kit/words";

type Cell = [number, number, number, string, string];
interface Rate { name: string; rows: number; said: number; right: number; recall: string; precision: string; low: string; high: string }
interface Predicted {
  kind: string; task: string; n: number; target: string; split: string; sealed: number; stepwise: boolean; rows: string;
  score: { metric: string; value: string; interval: string }; metrics: [string, string, string][]; columns: string[];
  script: { python: string; command: string };
  title?: string; classes?: string[]; rates?: Rate[]; pairs?: [number, number, number, string][]; confused?: number; cells?: Cell[] | null;
  reliability?: { bins: number[][]; verdict: string; error: string; chance: string; grouped: boolean };
  thresholds?: { positive: string; positives: number; negatives: number; points: [number, number, number, string, string, string][]; stored: number; auc: string };
  drawn?: { title: string; svg: string; caption: string; head: string[]; rows: string[][] }[];
  residuals?: [number, number, number][]; outputs?: number;
}

export default function Predictions({ run }: PageProps): JSX.Element {
  const found = useLoaded((signal) => get<Predicted>(ofRun(run, "predictions", { lang: lang.value }), signal), [run, lang.value]);
  return (
    <>
      <h1>{t("Predictions of {run}", { run })}</h1>
      <Loaded found={found}>{(made) => <Shown run={run} made={made} />}</Loaded>
    </>
  );
}

function Shown({ run, made }: { run: string; made: Predicted }): JSX.Element {
  const sealed = made.sealed ? t("{n} test rows are sealed: none of them is opened here.", { n: made.sealed.toLocaleString("en") })
    : t("There are no test rows.");
  return (
    <>
      <p class="verdict">{`${made.score.metric} ${made.score.value} [${made.score.interval}]`}</p>
      <p class="note">
        {made.split === "train" ? t("{rows}: there are no validation rows, so nothing here is about new rows.", { rows: made.rows })
          : t("On {rows}, with 95 % interval.", { rows: made.rows })} {sealed}
        {made.stepwise && ` ${t("Every step of a row has an answer of its own, and is counted by itself.")}`}
      </p>
      {made.classes && <Classes run={run} made={made} />}
      {made.drawn && <Values run={run} made={made} />}
      {!made.classes && <Rows run={run} title={made.drawn ? t("The rows with the largest error") : t("The rows with the largest loss")} query={{ order: "loss" }} />}
      {made.thresholds && <Threshold made={made.thresholds} />}
      {made.reliability && <Reliability made={made.reliability} />}
      {made.columns.length > 0 && <Slices run={run} columns={made.columns} />}
      <Figure title={t("All metrics on the {rows}", { rows: made.rows })} name="metrics">
        <Table name="metrics" numbers={{ head: [t("metric"), t("value"), t("direction")], rows: made.metrics }} />
      </Figure>
      <Script python={made.script.python} command={made.script.command} />
    </>
  );
}

function Classes({ run, made }: { run: string; made: Predicted }): JSX.Element {
  const names = made.classes ?? [];
  const cell = (place.value.query.get("cell") ?? "").split(",").map(Number);
  const open = cell.length === 2 && cell.every((n) => Number.isInteger(n) && n >= 0 && n < names.length) ? cell as [number, number] : null;
  const show = (t_: number, p: number): void => setQuery({ cell: `${t_},${p}` });
  return (
    <>
      {made.cells ? <Matrix cells={made.cells} names={names} title={made.title ?? ""} open={open} show={show} />
        : <Pairs made={made} show={show} />}
      {open ? (
        <Rows run={run} key={open.join()} query={{ true: open[0], said: open[1], order: "sure" }} close={() => setQuery({ cell: null })}
          title={t("True {true}, said {said}: the surest first", { true: names[open[0]] ?? "", said: names[open[1]] ?? "" })} />
      ) : <Rows run={run} key="worst" query={{ order: "loss" }} title={t("The rows with the largest loss")} />}
      <Figure title={t("Each class by itself")} name="classes"
        note={t("Recall: share of the class that was found, with Wilson's 95 % interval. Precision: share of right ones among those said to be of the class.")}>
        <Table name="classes" numbers={{
          head: [t("class"), t("rows"), t("recall"), t("95 % interval"), t("precision")],
          rows: (made.rates ?? []).map((one) => [one.name, one.rows, one.recall, one.rows ? t("{low} to {high} %", { low: one.low, high: one.high }) : "–", one.precision]),
        }} />
      </Figure>
    </>
  );
}

interface MatrixProps { cells: Cell[]; names: string[]; title: string; open: [number, number] | null; show: (true_: number, said: number) => void }

function Matrix({ cells, names, title, open, show }: MatrixProps): JSX.Element {
  const query = place.value.query, shares = query.get("show") ?? "rows", sorted = query.get("sort") === "errors";
  const [at, setAt] = useState<[number, number]>([0, 0]);
  const table = useRef<HTMLTableElement>(null);
  const counts = new Map(cells.map((one) => [`${one[0]},${one[1]}`, one]));
  const total = (axis: 0 | 1, k: number): number => cells.reduce((sum, one) => sum + (one[axis] === k ? one[2] : 0), 0);
  const wrong = names.map((_, k) => total(0, k) - (counts.get(`${k},${k}`)?.[2] ?? 0));
  const order = names.map((_, k) => k);
  if (sorted) order.sort((a, b) => (wrong[b] ?? 0) - (wrong[a] ?? 0) || a - b);
  useEffect(() => { (window as unknown as { __chart: Record<string, unknown> }).__chart = { ...(window as any).__chart, confusion: { names, cells, order } }; });
  const move = (event: KeyboardEvent): void => {
    const step = ({ ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] } as Record<string, [number, number]>)[event.key];
    if (!step) return;
    event.preventDefault();
    const clip = (n: number): number => Math.max(0, Math.min(names.length - 1, n));
    const next: [number, number] = [clip(at[0] + step[0]), clip(at[1] + step[1])];
    setAt(next);
    table.current?.querySelector<HTMLElement>(`[data-at="${next.join()}"]`)?.focus();
  };
  const choose = (name: string) => (event: Event): void => setQuery({ [name]: (event.currentTarget as HTMLSelectElement).value });
  return (
    <Figure title={title} name="confusion" help={<p>{t("Down: the true class; across: what the model said. The diagonal is right. A good matrix is pale outside of the diagonal; a dark cell there is a pair of classes that the model mixes up: open it and look at its rows.")}</p>}
      note={t("Arrow keys move from cell to cell; Enter opens the rows of a cell.")}
      numbers={() => ({ head: [t("true"), t("said"), t("rows"), t("% of the true class"), t("% of what was said")],
        rows: cells.map(([a, b, n, row, column]) => [names[a] ?? "", names[b] ?? "", n, row, column]) })}>
      <p class="controls">
        <label>{t("Below the counts")} <select value={shares} onChange={choose("show")}>
          <option value="rows">{t("% of the true class")}</option><option value="said">{t("% of what was said")}</option><option value="none">{t("nothing")}</option>
        </select></label>
        <label>{t("Classes")} <select value={sorted ? "errors" : "given"} onChange={choose("sort")}>
          <option value="given">{t("as given")}</option><option value="errors">{t("by errors")}</option>
        </select></label>
      </p>
      <div class="scroll">
        <table class="matrix" ref={table} onKeyDown={move}>
          <thead><tr><th scope="col">{t("true / said")}</th>{order.map((k) => <th scope="col" key={k}><bdi>{names[k]}</bdi></th>)}</tr></thead>
          <tbody>{order.map((a, i) => (
            <tr key={a}>
              <th scope="row"><bdi>{names[a]}</bdi></th>
              {order.map((b, j) => {
                const one = counts.get(`${a},${b}`), rows = one?.[2] ?? 0;
                const part = rows / Math.max(1, total(0, a)), text = shares === "said" ? one?.[4] : one?.[3];
                const strength = !rows ? 0 : a === b ? 0.55 * part : 0.12 + 0.42 * Math.sqrt(part);
                return (
                  <td key={b} class={a === b ? "hit" : "miss"}>
                    <button type="button" data-at={`${i},${j}`} aria-disabled={!rows} tabIndex={at[0] === i && at[1] === j ? 0 : -1}
                      aria-pressed={open?.[0] === a && open?.[1] === b} onFocus={() => setAt([i, j])} onClick={() => { if (rows) show(a, b); }}
                      style={{ "--a": strength.toFixed(2) }}
                      aria-label={t("true {true}, said {said}: {n} rows, {row} % of the true class, {column} % of what was said",
                        { true: names[a] ?? "", said: names[b] ?? "", n: rows, row: one?.[3] ?? 0, column: one?.[4] ?? 0 })}>
                      {rows ? rows.toLocaleString("en") : "·"}{rows > 0 && shares !== "none" && <small>{text}</small>}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}</tbody>
        </table>
      </div>
    </Figure>
  );
}

function Pairs({ made, show }: { made: Predicted; show: (a: number, b: number) => void }): JSX.Element {
  const names = made.classes ?? [], pairs = made.pairs ?? [];
  return (
    <Figure title={made.title ?? ""} name="confused" note={t("The {n} most confused of {all} pairs of classes.", { n: pairs.length, all: made.confused ?? 0 })}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Pairs of classes")}>
        <table>
          <thead><tr>{[t("true"), t("said"), t("rows"), t("% of the true class")].map((head) => <th scope="col">{head}</th>)}</tr></thead>
          <tbody>{pairs.map(([a, b, n, part]) => (
            <tr><td><bdi>{names[a]}</bdi></td><td><bdi>{names[b]}</bdi></td><td><button type="button" onClick={() => show(a, b)}>{n}</button></td><td>{part}</td></tr>
          ))}</tbody>
        </table>
      </div>
    </Figure>
  );
}

const PART = 24;

function Rows(props: { run: string; title: string; query: Record<string, string | number>; close?: () => void }): JSX.Element {
  const [count, setCount] = useState(PART);
  const [kept, setKept] = useState<Example[]>([]);
  const heading = useRef<HTMLHeadingElement>(null);
  const offset = Math.max(0, count - PART);
  const found = useLoaded((signal) => get<{ total: number; rows: Example[] }>(
    ofRun(props.run, "predictions/examples", { ...props.query, offset, count: PART }), signal), [props.run, JSON.stringify(props.query), offset]);
  useEffect(() => { if (found.value) setKept((before) => [...before.slice(0, offset), ...found.value!.rows]); }, [found.value]);
  useEffect(() => { if (props.close) heading.current?.focus(); }, []);
  const total = found.value?.total ?? 0;
  return (
    <section class="rows" aria-label={props.title}>
      <h2 tabIndex={-1} ref={heading}>{props.title}</h2>
      {props.close && <p><button type="button" onClick={props.close}>{t("Close: back to the most costly rows")}</button></p>}
      {kept.length === 0 && <Loaded found={found}>{() => <p class="note">{t("There are no such rows.")}</p>}</Loaded>}
      <ExampleList rows={kept}>{(one) => {
        const label = one.step ? t("row {n}, step {k}", { n: one.row, k: one.step }) : t("row {n}", { n: one.row });
        const word = wordOf(one);
        return (
          <>
            <ShownRow shown={one.shown} label={label} />
            <Answer one={one} />
            <a href={link(["runs", props.run, "explain"], { row: String(one.row), ...(word === undefined ? {} : { position: String(word) }) })}>
              {t("Why? {row}", { row: label })}
            </a>
          </>
        );
      }}</ExampleList>
      <p class="note" aria-live="polite">
        {kept.length > 0 && t("{n} of {all} rows", { n: kept.length.toLocaleString("en"), all: total.toLocaleString("en") })}{" "}
        {kept.length < total && <button type="button" onClick={() => setCount(kept.length + PART)}>{t("More")}</button>}
      </p>
    </section>
  );
}

function Values({ run, made }: { run: string; made: Predicted }): JSX.Element {
  const points = made.residuals ?? [];
  const ends = (k: 1 | 2): [number, number] => {
    const values = points.map((one) => num(one[k])).filter(isFinite);
    return values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  };
  const [low, high] = ends(1), [down, up] = ends(2), far = Math.max(Math.abs(down), Math.abs(up)) || 1;
  return (
    <div class="beside">
      {(made.drawn ?? []).map((one) => (
        <Figure title={one.title} name="errors" note={one.caption} numbers={() => ({ head: one.head, rows: one.rows })}>
          <Drawing svg={one.svg} label={one.title} />
        </Figure>
      ))}
      <Figure title={t("Errors beside predictions")} name="residuals"
        note={t("{n} of {all} rows are drawn: the largest errors and an even sample of the others. Click a point to ask why.", { n: points.length, all: made.n })}
        help={<p>{t("A good picture is a level cloud around zero. A funnel means that large values are predicted less well; a bow means that the model has missed a curve.")}</p>}
        numbers={() => ({ head: [t("row"), t("prediction"), t("prediction − truth")], rows: points })}>
        <SmallPlot label={t("Errors beside predictions")} x={{ low, high, title: t("prediction") }} y={{ low: -far, high: far, title: t("prediction − truth") }}>
          {({ x, y }) => <>
            <line class="axis" x1={x(low)} x2={x(high)} y1={y(0)} y2={y(0)} />
            {points.map(([row, said, error]) => isFinite(num(said)) && isFinite(num(error)) && <circle class="s1 spot" cx={x(said)} cy={y(error)} r={2.5}
              onClick={() => { location.hash = link(["runs", run, "explain"], { row: String(row) }); }}><title>{t("row {n}", { n: row })}</title></circle>)}
          </>}
        </SmallPlot>
      </Figure>
    </div>
  );
}

function Reliability({ made }: { made: NonNullable<Predicted["reliability"]> }): JSX.Element {
  const title = made.verdict === "off"
    ? t("Answers are not as often right as they are sure: calibration error {error}, by chance {chance}.", { error: made.error, chance: made.chance })
    : t("Answers are about as often right as they are sure: calibration error {error}, by chance up to {chance}.", { error: made.error, chance: made.chance });
  return (
    <Figure title={title} name="reliability"
      note={<>{t("Answers in 15 bins of equal width by how sure they are; vertical lines are Wilson's 95 % intervals. By chance: what 95 % of samples of so many rows stay below if the probabilities are right.")}{made.grouped && ` ${t("Rows of a group are not independent: chance makes more than that.")}`}</>}
      help={<p>{t("Points on the diagonal are good: of answers that are 80 % sure, 80 % are right. Points below it are too sure, points above it not sure enough.")}</p>}
      numbers={() => ({ head: [t("from"), t("to"), t("rows"), t("sure"), t("right"), t("low"), t("high")], rows: made.bins.map((bin) => bin.map((v) => Number(num(v).toPrecision(6)))) })}>
      <SmallPlot label={title} x={{ low: 0, high: 1, title: t("how sure"), percent: true }} y={{ low: 0, high: 1, title: t("how often right"), percent: true }}>
        {({ x, y }) => <>
          <line class="axis" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} stroke-dasharray="4 3" />
          {made.bins.map(([, , n, sure, right, low, high]) => <g>
            <line class="s1" x1={x(sure!)} x2={x(sure!)} y1={y(low!)} y2={y(high!)} />
            <circle class="s1 spot" cx={x(sure!)} cy={y(right!)} r={4}><title>{t("{n} rows", { n: n! })}</title></circle>
          </g>)}
        </>}
      </SmallPlot>
    </Figure>
  );
}

function Threshold({ made }: { made: NonNullable<Predicted["thresholds"]> }): JSX.Element {
  const points = made.points;
  const usual = points.reduce((best, one, k) => (one[0] >= 0.5 ? k : best), 0);
  const [at, setAt] = useState(usual);
  const now = points[at]!;
  const [threshold, hits, alarms, recall, precision, alarmRate] = now;
  const title = t("Called {name} from {p} on: {recall} of them found, {precision} of the calls right.",
    { name: made.positive, p: threshold.toPrecision(4), recall, precision });
  const rates = points.map(([, h, a]) => [a / made.negatives, h / made.positives, h / (h + a)] as const);
  const curve = (k: 0 | 1, m: 1 | 2, { x, y }: { x: (v: number) => number; y: (v: number) => number }): string =>
    rates.map((r) => `${x(r[k]).toFixed(1)},${y(r[m]).toFixed(1)}`).join(" ");
  return (
    <Figure title={title} name="thresholds" note={t("AUC {auc}; {n} of {all} thresholds can be chosen, both ends among them.", { auc: made.auc, n: points.length, all: made.stored })}
      help={<p>{t("A lower threshold finds more and raises more false alarms. A good ROC curve bends to the upper left, a useless one is the diagonal. A threshold that is chosen on these rows flatters them.")}</p>}
      numbers={() => ({ head: [t("threshold"), t("found"), t("false alarms"), t("recall"), t("precision"), t("false alarm rate")], rows: points })}>
      <p class="controls">
        <label>{t("Threshold")} <input type="range" min={0} max={points.length - 1} value={points.length - 1 - at} aria-valuetext={title}
          onInput={(event) => setAt(points.length - 1 - Number(event.currentTarget.value))} /></label>
        <output>{threshold.toPrecision(4)}</output>
        <button type="button" onClick={() => setAt(usual)}>0.5</button>
      </p>
      <div class="beside">
        <table class="counts">
          <thead><tr><th scope="col">{t("true / said")}</th><th scope="col">{t("not {name}", { name: made.positive })}</th><th scope="col">{made.positive}</th></tr></thead>
          <tbody>
            <tr><th scope="row">{t("not {name}", { name: made.positive })}</th><td>{made.negatives - alarms}</td><td>{alarms} <small>{alarmRate}</small></td></tr>
            <tr><th scope="row">{made.positive}</th><td>{made.positives - hits}</td><td>{hits} <small>{recall}</small></td></tr>
          </tbody>
        </table>
        <SmallPlot label="ROC" x={{ low: 0, high: 1, title: t("false alarm rate"), percent: true }} y={{ low: 0, high: 1, title: t("recall"), percent: true }}>
          {(p) => <>
            <line class="axis" x1={p.x(0)} y1={p.y(0)} x2={p.x(1)} y2={p.y(1)} stroke-dasharray="4 3" />
            <polyline class="s1" fill="none" points={`${p.x(0)},${p.y(0)} ${curve(0, 1, p)}`} />
            <circle class="s2 spot" cx={p.x(rates[at]![0])} cy={p.y(rates[at]![1])} r={5} />
          </>}
        </SmallPlot>
        <SmallPlot label={t("precision and recall")} x={{ low: 0, high: 1, title: t("recall"), percent: true }} y={{ low: 0, high: 1, title: t("precision"), percent: true }}>
          {(p) => <>
            <polyline class="s1" fill="none" points={curve(1, 2, p)} />
            <circle class="s2 spot" cx={p.x(rates[at]![1])} cy={p.y(rates[at]![2])} r={5} />
          </>}
        </SmallPlot>
      </div>
    </Figure>
  );
}

interface Sliced { column: string; metric: string; slices: { name: string; n: number; value: string; interval: string; number: number | string; low: number | string; high: number | string }[] }

function Slices({ run, columns }: { run: string; columns: string[] }): JSX.Element {
  const asked = place.value.query.get("column") ?? "", column = columns.includes(asked) ? asked : columns[0] ?? "";
  const found = useLoaded((signal) => get<Sliced>(ofRun(run, "predictions/slices", { column, lang: lang.value }), signal), [run, column, lang.value]);
  return (
    <Figure title={t("Who fares worse: rows by {column}", { column })} name="slices"
      note={t("Intervals are of each slice by itself, 95 %: of many slices some look worse by chance.")}>
      <p class="controls"><label>{t("Column")} <select value={column} onChange={(event) => setQuery({ column: event.currentTarget.value })}>
        {columns.map((name) => <option value={name}>{name}</option>)}
      </select></label></p>
      <Loaded found={found.value?.column === column ? found : found.error ? found : {}}>{({ metric, slices }) => {
        const ends = slices.flatMap((one) => [num(one.low), num(one.high)]).filter(isFinite);
        const low = Math.min(...ends), span = Math.max(...ends) - low || 1;
        const x = (v: number | string): number => Math.max(0, Math.min(100, 100 * (num(v) - low) / span));
        return (
          <div class="scroll" tabIndex={0} role="region" aria-label={t("Slices")}>
            <table class="slices">
              <thead><tr><th scope="col">{column}</th><th scope="col">{t("rows")}</th><th scope="col">{metric}</th><th scope="col">{t("95 % interval")}</th><td></td></tr></thead>
              <tbody>{slices.map((one) => (
                <tr><th scope="row"><bdi>{one.name}</bdi></th><td>{one.n.toLocaleString("en")}</td><td>{one.value}</td><td>{one.interval}</td>
                  <td aria-hidden="true"><svg viewBox="-4 0 108 12" class="interval"><line class="s1" x1={x(one.low)} x2={x(one.high)} y1={6} y2={6} /><circle class="s1 spot" cx={x(one.number)} cy={6} r={3.5} /></svg></td></tr>
              ))}</tbody>
            </table>
          </div>
        );
      }}</Loaded>
    </Figure>
  );
}
