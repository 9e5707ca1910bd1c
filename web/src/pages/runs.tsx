// All runs: filtered, sorted and folded by the server; here is what is seen of them.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asked as askedAhead, get, num } from "../kit/api";
import { RUN_PAGES } from "../kit/pages";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { Virtual } from "../kit/virtual";
import { t } from "../kit/words";

interface Score { metric: string; said: string; span: string; n: number; split: string; over?: string; name?: string; selected_on?: string | null }
interface Sketch { series: string; points: number; low: number | string; high: number | string; strokes: ([number, number] | null)[] }
interface Line {
  id: string; level: number; name: string; runs: string[]; kind: string; states: Record<string, number>; data: string;
  fingerprint: string; model: string; recipe: string; code: string; seeds: number[]; planned: number; score: Score | null;
  floor: Score | null; beaten: string; verdict: string; findings: [string, string][]; epochs: number; steps: number;
  length: string; seconds: number; when: string; cells: Record<string, string>; sketch: Sketch | null;
}
interface Answer {
  runs: Line[]; start: number; total: number; kept: number; all: number; unread: number; busy: boolean;
  script: { python: string; command: string };
}
interface Shown { answer?: Answer; error?: Error; key: string }

const HEIGHT = 44;
const PART = 20, AT_ONCE = 60; // rows: a new part is asked for, so many at once
const LIVE = 2000, FILLING = 300, TYPING = 150; // milliseconds
const HEADS: [string, string][] = [
  ["name", "Run"], ["state", "State"], ["score", "Score"], ["floor", "Floor"], ["", "Curve"], ["findings", "Findings"],
  ["model", "Model"], ["data", "Data"], ["seed", "Seeds"], ["epochs", "Epochs"], ["seconds", "Time"], ["when", "When"],
  ["recipe", "Recipe"],
];
const EXAMPLES = ["model:mlp accuracy>0.9", "state:running", "-finding:overfitting", "metric.val_loss<0.2", "optimizer.lr<=1e-3", "when>2026-01-01", "\"two words\""];
export const SIGNS: Record<string, string> = {
  starting: "…", running: "▶", paused: "❚❚", finished: "✓", stopped: "■", diverged: "✗", interrupted: "↻", crashed: "⚠", damaged: "⚠",
};
/** Words that come from the server and are said in the language of the page. */
const SAID = [
  "beaten", "not beaten", "cannot tell", "differs", "observation", "finding", "confirmed", "certain",
  "fit", "cv", "compare", "search", "race", "population", "import",
];
const word = (said: string): string => (SAID.includes(said) || said in SIGNS ? t(said) : said);

const LOGS = ["fit", "import"];

/** Studies have their page in the place of an overview. */
export const addressOf = (line: { name: string; kind: string }): string =>
  link(["runs", line.name, ...(LOGS.includes(line.kind) ? [] : [line.kind === "population" && "population" in RUN_PAGES ? "population" : "comparison"])]);

const list = (name: string): string[] => (place.value.query.get(name) ?? "").split(",").filter(Boolean).map(decodeURIComponent);
const setList = (name: string, values: string[]): void => setQuery({ [name]: values.length ? values.map(encodeURIComponent).join(",") : null });

function useRuns(window: { start: number; count: number }): Shown & { late: boolean } {
  const query = place.value.query;
  const asked = new URLSearchParams();
  for (const name of ["filter", "sort", "down", "fold"]) if (query.has(name)) asked.set(name, query.get(name)!);
  for (const name of ["open", "columns"]) for (const one of list(name)) asked.append(name, one);
  const key = asked.toString();
  asked.set("start", String(window.start));
  asked.set("count", String(window.count));
  const address = `/api/runs?${asked}`;
  const [shown, setShown] = useState<Shown>({ key });
  const [late, setLate] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0, mark = "", soon = false;
    const ask = async (): Promise<void> => {
      try {
        const sent: RequestInit = { signal: stop.signal, headers: { "if-none-match": mark } };
        const answer = await (mark ? fetch(address, sent) : askedAhead(address, stop.signal));
        if (answer.status !== 304) {
          const found = await answer.json();
          if (stop.signal.aborted) return;
          if (!answer.ok) { const e = found.error; setShown((old) => ({ ...old, key, error: new Error([e.what, e.received, e.do].filter(Boolean).join("; ")) })); return; }
          mark = answer.headers.get("etag") ?? "";
          soon = found.unread > 0 || (found.busy && !soon);
          setShown({ answer: found, key });
        }
        else soon = false;
        setLate(false);
      } catch (error) {
        if (stop.signal.aborted) return;
        setLate(true);
      }
      timer = setTimeout(() => { void (document.hidden ? wait() : ask()); }, soon ? FILLING : LIVE) as unknown as number;
    };
    const wait = (): void => { document.addEventListener("visibilitychange", () => void ask(), { once: true, signal: stop.signal }); };
    const begin = setTimeout(ask, shown.answer && shown.key !== key ? TYPING : 0);
    return () => { clearTimeout(begin); clearTimeout(timer); stop.abort(); };
  }, [address]);
  return { ...shown, late };
}

export default function Runs(): JSX.Element {
  const [start, setStart] = useState(0);
  const { answer, error, late } = useRuns({ start, count: AT_ONCE });
  const query = place.value.query;
  const filter = query.get("filter") ?? "";
  const chosen = list("chosen"), open = list("open"), columns = list("columns");
  const fold = query.get("fold") !== "false";
  const counts = useRef<Answer | undefined>(undefined);
  if (answer) counts.current = answer;
  const toggle = (line: Line): void => {
    const whole = line.runs.every((run) => chosen.includes(run));
    setList("chosen", whole ? chosen.filter((run) => !line.runs.includes(run)) : [...new Set([...chosen, ...line.runs])]);
  };
  const expand = (line: Line): void => setList("open", open.includes(line.id) ? open.filter((id) => id !== line.id) : [...open, line.id]);
  const lineAt = (index: number): Line | undefined => answer?.runs[index - answer.start];
  const key = (event: KeyboardEvent, index: number): void => {
    const line = lineAt(index);
    if (!line || event.target !== event.currentTarget) return;
    const wide = line.runs.length > 1;
    if (event.key === "Enter") { if (wide) expand(line); else location.hash = addressOf(line); }
    else if (event.key === " ") toggle(line);
    else if (event.key === "ArrowRight" && wide && !open.includes(line.id)) expand(line);
    else if (event.key === "ArrowLeft" && wide && open.includes(line.id)) expand(line);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <h1>{t("Runs")}</h1>
      <div class="runs-tools">
        <label class="runs-filter">{t("Filter")}
          <input type="search" value={filter} spellcheck={false} autocomplete="off" aria-invalid={!!error} aria-describedby="runs-said"
            placeholder={EXAMPLES[0]} onInput={(event) => setQuery({ filter: event.currentTarget.value || null })} />
        </label>
        <label><input type="checkbox" checked={fold} onChange={(event) => setQuery({ fold: event.currentTarget.checked ? null : "false" })} /> {t("Seeds of one recipe together")}</label>
        {chosen.length >= 2
          ? <a class="button" href={link(["compare"], { runs: chosen.map(encodeURIComponent).join(",") })}>{t("Compare {n} runs", { n: chosen.length })}</a>
          : <span class="note">{t("Choose two or more to compare them")}</span>}
        {chosen.length > 0 && <button type="button" onClick={() => setList("chosen", [])}>{t("Choose none")}</button>}
      </div>
      <p id="runs-said" class={error ? "error" : "note"} role="status">{said(answer, error, late)}</p>
      <div class="runs-tools">
        <Help />
        <Columns chosen={columns} />
      </div>
      {answer && answer.all === 0 && !answer.busy ? <Empty /> : (
        <Virtual label={t("Table of runs")} total={counts.current?.total ?? 0} height={HEIGHT} columns={HEADS.length + columns.length + 1}
          head={<Head columns={columns} />} onNeed={(first) => setStart(Math.floor(first / PART) * PART)} onKey={key}
          row={(index) => { const line = lineAt(index); return line && <Cells line={line} columns={columns} chosen={chosen} open={open} toggle={toggle} expand={expand} />; }} />
      )}
      {answer && <Script python={answer.script.python} command={answer.script.command} />}
    </>
  );
}

function said(answer: Answer | undefined, error: Error | undefined, late: boolean): string {
  if (error) return error.message;
  if (!answer) return `${t("Loading")} …`;
  const parts = [t("{kept} of {all} runs in {total} rows", { kept: answer.kept, all: answer.all, total: answer.total })];
  if (answer.unread) parts.push(t("{n} folders are still being read", { n: answer.unread }));
  if (late) parts.push(t("the studio does not answer: this may be old"));
  return parts.join("; ");
}

function Help(): JSX.Element {
  return (
    <details>
      <summary>{t("Examples of filters")}</summary>
      <p class="note">{t("Terms stand beside each other and all must hold; a minus turns one round. A term is a text, field:text, field=value, field<number or field>number. Fields are columns, metrics, and options of recipes.")}</p>
      <p>{EXAMPLES.map((one) => <button type="button" onClick={() => setQuery({ filter: one })}><code>{one}</code></button>)}</p>
    </details>
  );
}

function Columns({ chosen }: { chosen: string[] }): JSX.Element {
  const [search, setSearch] = useState("");
  const [opened, setOpened] = useState(false);
  const [found, setFound] = useState<{ names: string[]; matching: number; all: number }>();
  useEffect(() => {
    if (!opened) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      get<{ names: string[]; matching: number; all: number }>(`/api/columns?search=${encodeURIComponent(search)}`, stop.signal).then(setFound, () => undefined);
    }, TYPING);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [search, opened]);
  const names = [...chosen, ...(found?.names ?? []).filter((name) => !chosen.includes(name))];
  return (
    <details onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>{t("Columns")}</summary>
      <label>{t("Search metrics and options")} <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} /></label>
      {found && <p class="note">{t("{n} of {all} names", { n: found.names.length, all: found.all })}</p>}
      <ul class="runs-names">{names.map((name) => (
        <li key={name}><label><input type="checkbox" checked={chosen.includes(name)} disabled={!chosen.includes(name) && chosen.length >= 12}
          onChange={(event) => setList("columns", event.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name))} /> <bdi>{name}</bdi></label></li>
      ))}</ul>
    </details>
  );
}

function Head({ columns }: { columns: string[] }): JSX.Element {
  const query = place.value.query;
  const sort = query.get("sort") ?? "when", down = (query.get("down") ?? "true") === "true";
  const heads = [...HEADS.map(([field, name]) => [field, t(name)]), ...columns.map((name) => [name, name])] as [string, string][];
  return (
    <tr>
      <th scope="col">{t("Chosen")}</th>
      {heads.map(([field, name]) => (
        <th scope="col" key={field || name} aria-sort={field && field === sort ? (down ? "descending" : "ascending") : undefined}>
          {field ? (
            <button type="button" class="sort" onClick={() => setQuery({ sort: field, down: String(field === sort ? !down : field !== "name") })}>
              <bdi>{name}</bdi>{field === sort ? (down ? " ↓" : " ↑") : ""}
            </button>
          ) : name}
        </th>
      ))}
    </tr>
  );
}

interface CellsProps { line: Line; columns: string[]; chosen: string[]; open: string[]; toggle: (line: Line) => void; expand: (line: Line) => void }

function Cells({ line, columns, chosen, open, toggle, expand }: CellsProps): JSX.Element {
  const wide = line.runs.length > 1;
  return (
    <>
      <td><input type="checkbox" aria-label={t("Choose {name}", { name: line.name })} checked={line.runs.every((run) => chosen.includes(run))} onChange={() => toggle(line)} /></td>
      <th scope="row" class={line.level ? "within" : ""}>
        {wide
          ? <button type="button" class="fold" aria-expanded={open.includes(line.id)} onClick={() => expand(line)}>
              <span aria-hidden="true">{open.includes(line.id) ? "▾" : "▸"}</span> <bdi title={line.name}>{line.name}</bdi> {t("and {n} more", { n: line.runs.length - 1 })}
            </button>
          : <a href={addressOf(line)} title={line.name}><bdi>{line.name}</bdi></a>}
      </th>
      <td>{Object.entries(line.states).map(([state, n]) => <Standing state={state} n={wide ? n : 0} />)}</td>
      <td title={line.verdict}>{line.score ? <>{line.score.metric} <strong>{line.score.said}</strong> <span class="note">{line.score.span} {line.score.over === "two" ? t("range of two seeds") : line.score.over ? t("over {n} seeds", { n: line.score.n }) : line.score.split}</span></> : <span class="note"><bdi>{line.verdict}</bdi></span>}</td>
      <td>{line.floor && <span title={line.floor.name}>{line.floor.said} </span>}<span class="note">{line.beaten && word(line.beaten)}</span></td>
      <td>{line.sketch && <Sparkline sketch={line.sketch} />}</td>
      <td>{line.findings.map(([code, level]) => <span class={`badge ${level}`} title={word(level)}>{code}</span>)}</td>
      <td><bdi title={line.model}>{line.model}</bdi></td>
      <td><bdi title={line.fingerprint}>{line.data}</bdi></td>
      <td>{line.kind === "fit" ? (wide ? `${line.seeds.length}/${line.planned}` : line.seeds.join(", ")) : `${word(line.kind)}${line.planned ? ` ${line.planned}` : ""}`}</td>
      <td>{line.epochs ? line.epochs.toFixed(line.epochs % 1 ? 1 : 0) : line.steps ? t("{n} steps", { n: line.steps }) : ""}</td>
      <td>{line.seconds ? `${line.seconds.toFixed(1)} s` : ""}</td>
      <td>{line.when}</td>
      <td><code title={line.code}>{line.recipe}</code></td>
      {columns.map((name) => <td key={name}><bdi>{line.cells[name] ?? ""}</bdi></td>)}
    </>
  );
}

export function Standing({ state, n }: { state: string; n: number }): JSX.Element {
  return <span class={`state ${state}`}><span aria-hidden="true">{SIGNS[state] ?? "?"}</span> {n > 0 && `${n} `}{word(state)} </span>;
}

/** Least and largest value of each of at most 64 parts of a series: no spike is lost. */
export function Sparkline({ sketch }: { sketch: Sketch }): JSX.Element {
  const { series, strokes } = sketch;
  let path = "", drawing = false;
  strokes.forEach((stroke, n) => {
    if (!stroke) { drawing = false; return; }
    const x = (100 * n) / Math.max(1, strokes.length - 1);
    path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${stroke[0]}L${x.toFixed(1)} ${stroke[1]}`;
    drawing = true;
  });
  const label = t("{series} from {low} to {high}, {n} points", { series, low: short(num(sketch.low)), high: short(num(sketch.high)), n: sketch.points });
  return (
    <svg class="spark" viewBox="-2 -4 104 108" preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <path d={path} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  );
}

const short = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value));

function Empty(): JSX.Element {
  return (
    <div class="empty">
      <p>{t("There is no run here yet. Make the first one in a terminal:")}</p>
      <pre tabIndex={0}>chymist fit digits</pre>
      <p class="note">{t("It appears here while it trains.")}</p>
    </div>
  );
}
