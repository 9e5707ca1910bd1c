// What the layers of a run did, step by step: a heat map, and what is behind one of its cells.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get, num, ofRun } from "../kit/api";
import { Figure } from "../kit/figure";
import { Heat } from "../kit/heat";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { lang, t } from "../kit/words";

type Value = number | string | null;
interface Row { number: number; name: string; kind: string; units: number }
interface Shown {
  looks: number; ended: boolean; same?: boolean; why?: string;
  quantity: string; title: string; quantities: { name: string; title: string }[];
  steps: number[]; values: Value[][]; rows: Row[]; low: number; high: number;
  log: boolean; share: boolean; signed: boolean; shown: string[]; looked: string; counted: number[]; band: string;
  standing: { text: string; layer: string; quantity: string; code: string }[];
  script: { python: string; command: string };
}

const AGAIN = 1000; // milliseconds

export default function Layers({ run }: PageProps): JSX.Element {
  const quantity = place.value.query.get("quantity") ?? "update_ratio";
  const [shown, setShown] = useState<{ value?: Shown; error?: Error }>({});
  useEffect(() => {
    const stop = new AbortController();
    let looks = 0, timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const found = await get<Shown>(ofRun(run, "layers", { quantity, looks, lang: lang.value }), stop.signal);
        if (!found.same) setShown({ value: found });
        looks = found.looks;
        if (!found.ended) timer = setTimeout(() => void ask(), AGAIN);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!looks) setShown({ error: error as Error });
        timer = setTimeout(() => void ask(), 3 * AGAIN);
      }
    };
    void ask();
    return () => { stop.abort(); clearTimeout(timer); };
  }, [run, quantity, lang.value]);
  return (
    <>
      <h1>{t("Layers of {run}", { run })}</h1>
      <Loaded found={shown}>{(value) => (value.why !== undefined ? <p class="note">{value.why}</p> : <Whole run={run} shown={value} />)}</Loaded>
    </>
  );
}

function Whole({ run, shown }: { run: string; shown: Shown }): JSX.Element {
  const wanted = place.value.query;
  const row = shown.rows.findIndex((one) => one.name === wanted.get("layer"));
  const column = wanted.has("step") ? nearest(shown.steps, Number(wanted.get("step"))) : shown.steps.length - 1;
  const picked: [number, number] | undefined = row < 0 ? undefined : [row, column];
  const text = (r: number, c: number): string => said(shown.values[r]?.[c] ?? null, shown.share);
  const share = (r: number, c: number): number | null => {
    const value = shown.values[r]?.[c] ?? null;
    if (value === null) return null;
    const number = num(value);
    if (!isFinite(number)) return NaN;
    if (shown.signed) return number / (shown.high || 1);
    if (!shown.log) return (number - shown.low) / (shown.high - shown.low || 1);
    return number <= 0 ? 0 : Math.min(1, Math.max(0, Math.log(number / shown.low) / (Math.log(shown.high / shown.low) || 1)));
  };
  const spot = (r: number, c: number): void => {
    const layer = shown.rows[r], step = shown.steps[c];
    if (layer && step !== undefined) setQuery({ layer: layer.name, step: String(step) });
  };
  const columns = shown.steps.map((step) => step.toLocaleString("en-US"));
  const ends: [string, string] = shown.share ? ["0 %", "100 %"] : [String(shown.low), String(shown.high)];
  return (
    <>
      {shown.standing.length > 0 ? (
        <ul class="standing">{shown.standing.map((one) => (
          <li>{one.text}{" "}
            <a href={link(["runs", run, "layers"], { quantity: one.quantity, layer: one.layer })}>{t("Show it")}</a>{" · "}
            <a href={link(["runs", run, "doctor"], { code: one.code })}>{t("What the doctor says of {code}", { code: one.code })}</a>
          </li>))}</ul>
      ) : <p>{t("No layer stands out: none is dead, saturated, torn about or not finite.")}</p>}
      <p><label>{t("Quantity")}{" "}
        <select value={shown.quantity} onChange={(event) => setQuery({ quantity: event.currentTarget.value, layer: null, step: null })}>
          {shown.quantities.map((one) => <option value={one.name}>{one.title}</option>)}
        </select></label></p>
      <Figure name={`${run}-${shown.quantity}`} title={t("{title} of {rows} layers at {looks} steps", { title: shown.title, rows: shown.rows.length, looks: shown.looks })}
        note={<>{shown.looked} {shown.log ? t("Colours are on a logarithmic scale.") : ""} {shown.band}</>}
        help={<p>{t("A row is a layer, a column a step that was looked at; early steps stand close together, later ones further apart. Even columns that grow calm are good; a row that turns white, black or dark while others do not is worth a look.")}</p>}
        numbers={() => ({ head: [t("layer"), ...columns], rows: shown.rows.map((one, r) => [one.name, ...columns.map((_, c) => text(r, c))]) })}>
        <Heat id="layers" label={shown.title} rows={shown.rows.map((one) => one.name)} columns={columns} share={share} signed={shown.signed} ends={ends}
          says={(r, c) => t("{layer}, step {step}: {value}", { layer: shown.rows[r]?.name ?? "", step: columns[c] ?? "", value: text(r, c) })}
          picked={picked} onPick={spot} />
      </Figure>
      {picked && <Cell run={run} shown={shown} row={shown.rows[picked[0]]!} step={shown.steps[picked[1]]!} value={text(...picked)} />}
      <Script python={shown.script.python} command={shown.script.command} />
    </>
  );
}

interface Counts { shown: string; edges: number[]; histograms: { step: number; counts: number[] }[] }

function Cell({ run, shown, row, step, value }: { run: string; shown: Shown; row: Row; step: number; value: string }): JSX.Element {
  const what = `${row.number} ${step} ${shown.shown.join(" ")}`;
  const found = useLoaded(async (signal) => Promise.all(shown.shown.map((one) =>
    get<Counts>(ofRun(run, "layers/histogram", { layer: row.number, step, shown: one }), signal))), [run, what]);
  return (
    <section aria-label={row.name}>
      <h2>{t("{layer} at step {step}", { layer: row.name, step })}</h2>
      <p>{[row.kind, t("{n} numbers", { n: row.units.toLocaleString("en-US") }), `${shown.title}: ${value}`].filter(Boolean).join(" · ")}</p>
      <Loaded found={found}>{(all) => <div class="cells">{all.map((one) => <Histogram of={one} name={`${run}-${row.name}`} />)}</div>}</Loaded>
    </section>
  );
}

const WORDS: Record<string, string> = { weights: "Weights", gradients: "Gradients", outputs: "Outputs" };

function Histogram({ of, name }: { of: Counts; name: string }): JSX.Element {
  const what = t(WORDS[of.shown] ?? of.shown), [first] = of.histograms, last = of.histograms.at(-1);
  if (!first || !last) return <p class="note">{t("No histogram was kept.")}</p>;
  const label = (bin: number): string => {
    if (bin === 63) return t("not finite");
    if (bin === 31) return `|v| < ${of.edges[0]}`;
    const third = bin > 31 ? bin - 32 : 30 - bin;
    const edges = [of.edges[third]!, of.edges[third + 1]!].map((edge) => edge.toPrecision(2));
    return bin > 31 ? `${edges[0]} … ${edges[1]}` : `−${edges[1]} … −${edges[0]}`;
  };
  const parts = first === last ? [first] : [first, last];
  const most = Math.max(1, ...parts.flatMap((one) => one.counts.map((n) => n / Math.max(1, total(one.counts)))));
  const peak = Math.max(...parts.flatMap((one) => one.counts.map((n) => n / Math.max(1, total(one.counts)))), 0.001);
  const title = parts.length > 1 ? t("{what} at step {a} (outlined) and at step {b} (filled)", { what, a: first.step, b: last.step })
    : t("{what} at step {a}", { what, a: first.step });
  const x = (bin: number): number => 10 + 6 * bin, y = (n: number, all: number): number => (90 * n) / Math.max(1, all) / (most > 1 ? 1 : peak);
  return (
    <Figure name={`${name}-${of.shown}`} title={title}
      note={t("64 fixed bins, a third of a decade each: negative values left, positive right, below 1e-8 in the middle, at the right end what is not finite. {n} values.", { n: total(last.counts).toLocaleString("en-US") })}
      numbers={() => ({ head: [t("values"), ...parts.map((one) => t("step {n}", { n: one.step }))], rows: first.counts.map((_, bin) => [label(bin), ...parts.map((one) => one.counts[bin]!)]) })}>
      <svg class="histogram" viewBox="0 0 404 116" role="img" aria-label={title}>
        {last.counts.map((n, bin) => n > 0 && <rect class="now" x={x(bin)} y={96 - y(n, total(last.counts))} width="5" height={y(n, total(last.counts))} />)}
        {parts.length > 1 && first.counts.map((n, bin) => n > 0 && <rect class="start" x={x(bin)} y={96 - y(n, total(first.counts))} width="5" height={y(n, total(first.counts))} />)}
        <line x1="10" x2="394" y1="96.5" y2="96.5" />
        {[[0, "−215"], [8, "−1"], [18, "−1e-4"], [31, "0"], [44, "1e-4"], [56, "1"], [62, "215"]].map(([bin, text]) => <text x={x(Number(bin)) + 3} y="110" text-anchor="middle">{text}</text>)}
      </svg>
    </Figure>
  );
}

const total = (counts: number[]): number => counts.reduce((a, b) => a + b, 0);
const nearest = (steps: number[], step: number): number =>
  steps.reduce((best, one, n) => (Math.abs(one - step) < Math.abs(steps[best]! - step) ? n : best), 0);
const said = (value: Value, share: boolean): string =>
  value === null ? t("not looked at") : share && isFinite(num(value)) ? `${(100 * num(value)).toFixed(1)} %` : String(value);
