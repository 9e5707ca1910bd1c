// All members of a population, while they train and after: curves, where they stand, a table.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, getBytes, num, ofRun } from "../kit/api";
import { Figure } from "../kit/figure";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { Strands, bundleOf, short } from "../kit/strands";
import { lang, t } from "../kit/words";

type Cell = number | string | boolean | null;
interface Member {
  member: number; seed: number; recipe: number; state: string; epochs: number; said: string; error: string;
  value: number | string | null; low: number | string | null; high: number | string | null; differs: Record<string, Cell>;
}
interface Shown {
  mark: string; same?: boolean; state: string; points: number; metric: string; name: string; greater: boolean; data: string;
  members: Member[]; differs: string[]; series: string[]; watched: string; sentences: string[];
}

const AGAIN = 1000, MOST_ROWS = 1000;

export default function Population({ run }: PageProps): JSX.Element {
  const [shown, setShown] = useState<{ value?: Shown; error?: Error }>({});
  useEffect(() => {
    const stop = new AbortController();
    let mark = "", timer: ReturnType<typeof setTimeout> | undefined, going = true;
    const ask = async (): Promise<void> => {
      try {
        const found = await get<Shown>(ofRun(run, "population", { mark, lang: lang.value }), stop.signal);
        if (!found.same) { setShown({ value: found }); going = found.state === "running"; }
        mark = found.mark;
        if (going) timer = setTimeout(() => void ask(), AGAIN);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!mark) setShown({ error: error as Error });
        timer = setTimeout(() => void ask(), 3 * AGAIN);
      }
    };
    void ask();
    return () => { stop.abort(); clearTimeout(timer); };
  }, [run, lang.value]);
  return (
    <>
      <h1>{t("Population {run}", { run })}</h1>
      <Loaded found={shown}>{(value) => <Whole run={run} shown={value} />}</Loaded>
    </>
  );
}

const STATES: Record<string, string> = { running: "running", ended: "ended", finished: "finished", diverged: "diverged", interrupted: "interrupted" };

function Whole({ run, shown }: { run: string; shown: Shown }): JSX.Element {
  const query = place.value.query;
  const order = useMemo(() => ranked(shown), [shown]);
  const chosen = query.get("member"), lit = chosen === null || !shown.members[Number(chosen)] ? null : Number(chosen);
  const light = (member: number | null): void => setQuery({ member: member === null ? null : String(member) });
  const counts = new Map<string, number>();
  for (const one of shown.members) counts.set(one.state, (counts.get(one.state) ?? 0) + 1);
  const best = shown.members[order[0] ?? -1], worst = shown.members[order.filter((n) => isFinite(num(shown.members[n]!.value))).at(-1) ?? -1];
  const script = useLoaded((signal) => get<{ python: string }>(ofRun(run, "population/script"), signal), [run]);
  return (
    <>
      {shown.sentences.map((text, n) => <p class={n ? "" : "verdict"}>{text}</p>)}
      <p>{[...counts].map(([state, n]) => t("{n} {state}", { n, state: t(STATES[state] ?? state) })).join(" · ")}
        {shown.differs.length === 0 && ` · ${t("members differ in their seed only, so this is a statement over seeds")}`}</p>
      {best && worst && <p>{t("Best")}: <Pick one={best} light={light} /> · {t("Worst")}: <Pick one={worst} light={light} /></p>}
      <Lines run={run} shown={shown} order={order} lit={lit} light={light} />
      <Dots run={run} shown={shown} lit={lit} light={light} />
      <Members run={run} shown={shown} order={order} lit={lit} light={light} />
      {script.value && <Script python={script.value.python} />}
    </>
  );
}

const nameOf = (one: Member): string => t("member {n}", { n: one.member });
const Pick = ({ one, light }: { one: Member; light: (n: number) => void }): JSX.Element => (
  <button type="button" onClick={() => light(one.member)}>{nameOf(one)}, {one.said || "–"}</button>
);

interface Part { run: string; shown: Shown; lit: number | null; light: (member: number | null) => void }

function Lines({ run, shown, order, lit, light }: Part & { order: number[] }): JSX.Element {
  const wanted = place.value.query.get("series"), series = wanted && shown.series.includes(wanted) ? wanted : shown.watched;
  const log = place.value.query.get("log") === "1";
  const [found, setFound] = useState<{ value?: ReturnType<typeof bundleOf>; error?: Error }>({});
  useEffect(() => {
    const stop = new AbortController();
    if (series) getBytes(ofRun(run, "population/curves", { series }), stop.signal).then((bytes) => setFound({ value: bundleOf(bytes) }),
      (error: Error) => { if (!stop.signal.aborted) setFound({ error }); });
    return () => stop.abort();
  }, [run, series, shown.mark]);
  if (!series) return <p class="note">{t("There are no curves yet.")}</p>;
  return (
    <>
      <p class="controls">
        <label>{t("Series")}{" "}<select value={series} onChange={(event) => setQuery({ series: event.currentTarget.value })}>
          {shown.series.map((one) => <option value={one}>{one}</option>)}</select></label>{" "}
        <label><input type="checkbox" checked={log} onChange={(event) => setQuery({ log: event.currentTarget.checked ? "1" : null })} />{t("Logarithmic")}</label>
      </p>
      <Loaded found={found}>{(bundle) => (
        <Figure name={`${run}-${series}`} title={t("{series} of {n} members by epoch", { series, n: bundle.lines.length })}
          note={<>{t("{points} points are stored; {stored} epochs are drawn in {drawn} columns, each with its least and greatest value where they are fewer.", { points: shown.points.toLocaleString("en-US"), stored: bundle.stored, drawn: bundle.epochs.length })}{" "}
            {t("Thin: one member each. Thick: their mean, with Student's 95 % interval over members.")}{lit !== null && ` ${t("Dashed")}: ${nameOf(shown.members[lit]!)}.`}</>}
          help={<p>{t("Lines that stay together say that the seed matters little; a few that leave the others are members to look at. The band is about the mean, not about single members.")}</p>}
          numbers={() => ({ head: [t("epoch"), t("mean"), t("low"), t("high"), ...bundle.lines.map((_, n) => String(n))],
            rows: [...bundle.epochs].map((epoch, n) => [epoch, short(bundle.mean[n]!), short(bundle.low[n]!), short(bundle.high[n]!), ...bundle.lines.map((line) => short(line[n]!))]) })}>
          <Strands id="members" label={series} bundle={bundle} lit={lit} onLit={light} order={order} names={(n) => nameOf(shown.members[n]!)} log={log} />
        </Figure>
      )}</Loaded>
    </>
  );
}

function Dots({ run, shown, lit, light }: Part): JSX.Element {
  const by = shown.differs.find((one) => one === place.value.query.get("by")) ?? shown.differs[0] ?? "";
  const members = shown.members.filter((one) => isFinite(num(one.value)));
  if (!members.length) return <></>;
  const kinds = [...new Set(members.map((one) => String(by ? one.differs[by] : "")))].sort((a, b) => num(a) - num(b) || a.localeCompare(b));
  const values = members.map((one) => num(one.value)), low = Math.min(...values), high = Math.max(...values);
  const height = Math.max(1, kinds.length) * 34 + 30;
  const x = (value: number): number => 130 + (560 * (value - low)) / (high - low || 1);
  const seen = new Map<string, number>();
  const spots = members.map((one) => {
    const kind = kinds.indexOf(String(by ? one.differs[by] : "")), at = x(num(one.value)), cell = `${kind} ${Math.round(at / 7)}`;
    const stack = seen.get(cell) ?? 0;
    seen.set(cell, stack + 1);
    return { one, at, y: 18 + 34 * kind + ((stack % 2 ? 1 : -1) * Math.ceil(stack / 2) * 5) % 15 };
  });
  const title = by ? t("{name} of the members by {by}", { name: shown.name, by }) : t("{name} of the members, one dot each", { name: shown.name });
  const word = (value: number): string => members.find((one) => num(one.value) === value)?.said ?? short(value);
  return (
    <>
      {shown.differs.length > 1 && <p><label>{t("By")}{" "}<select value={by} onChange={(event) => setQuery({ by: event.currentTarget.value })}>
        {shown.differs.map((one) => <option value={one}>{one}</option>)}</select></label></p>}
      <Figure name={`${run}-members`} title={title} note={t("From {low} to {high}; {n} members with a value of {all}.", { low: word(low), high: word(high), n: members.length, all: shown.members.length })}
        numbers={() => ({ head: [t("member"), by || t("seed"), shown.name], rows: members.map((one) => [one.member, String(by ? one.differs[by] : one.seed), one.said]) })}>
        <div class="wide" tabIndex={0} role="region" aria-label={title}><svg class="dots" viewBox={`0 0 720 ${height}`} role="img" aria-label={title}>
          {kinds.map((kind, n) => <><line x1="130" x2="690" y1={18 + 34 * n} y2={18 + 34 * n} /><text x="122" y={22 + 34 * n} text-anchor="end">{kind.slice(0, 18)}</text></>)}
          {spots.map(({ one, at, y }) => <circle class={one.member === lit ? "lit" : ""} cx={at} cy={y} r={one.member === lit ? 6 : 3.5} onClick={() => light(one.member)}><title>{`${nameOf(one)}: ${one.said}`}</title></circle>)}
          <text x="130" y={height - 4}>{word(low)}</text><text x="690" y={height - 4} text-anchor="end">{word(high)}</text>
        </svg></div>
      </Figure>
    </>
  );
}

function Members({ run, shown, order, lit, light }: Part & { order: number[] }): JSX.Element {
  return (
    <div class="scroll members" tabIndex={0} role="region" aria-label={t("Members of {run}", { run })}>
      <table>
        <thead><tr><th scope="col">{t("member")}</th><th scope="col">{shown.name}</th><th scope="col">{t("state")}</th><th scope="col">{t("epochs")}</th><th scope="col">{t("seed")}</th>
          {shown.differs.map((one) => <th scope="col">{one}</th>)}</tr></thead>
        <tbody>{order.slice(0, MOST_ROWS).map((n) => {
          const one = shown.members[n]!;
          return (
            <tr class={n === lit ? "lit" : ""}>
              <td><button type="button" aria-pressed={n === lit} onClick={() => light(n === lit ? null : n)}>{one.member}</button></td>
              <td>{one.said || "–"}</td><td>{t(STATES[one.state] ?? one.state)}{one.error && `: ${one.error}`}</td><td>{one.epochs}</td><td>{one.seed}</td>
              {shown.differs.map((name) => <td>{String(one.differs[name] ?? "–")}</td>)}
            </tr>
          );
        })}</tbody>
      </table>
      {order.length > MOST_ROWS && <p class="note">{t("{n} of {all} rows", { n: MOST_ROWS, all: order.length })}</p>}
    </div>
  );
}

/** Members from the best to the worst; those without a value last. */
function ranked(shown: Shown): number[] {
  const up = shown.watched === `val_${shown.metric}` || shown.state === "finished" ? shown.greater : false;
  const key = (n: number): number => { const value = num(shown.members[n]!.value); return isFinite(value) ? (up ? -value : value) : Infinity; };
  return shown.members.map((_, n) => n).sort((a, b) => (key(a) === key(b) ? a - b : key(a) - key(b)));
}
