// What is wrong with a run: claim, evidence, level, cheap test, fix and its measured effect.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../kit/announce";
import { get, num, ofRun, post } from "../kit/api";
import { Dialog } from "../kit/dialog";
import { Figure } from "../kit/figure";
import { count, duration } from "../kit/format";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { link } from "../kit/route";
import { Script } from "../kit/script";
import { Drawing, Piece } from "../kit/svg";
import { lang, t } from "../kit/words";

interface Chart { svg: string; title: string; head: string[]; rows: [string, number | string, number | string][] }
interface Card {
  code: string; level: string; says: string; title: string; claim: string; evidence: [string, string][];
  signal: string; rule: string; remedy: string; changes: string; chart: Chart | null;
}
interface Cost { steps: number | null; seconds: number | null; pairs: number; fix_seconds: number | null }
interface Diagnosis {
  state: "log" | "training" | "interrupted" | "unwatched" | "ended"; verdict: string; undecided: boolean;
  checked: Record<string, number | string | boolean>; cards: Card[]; seen: { code: string; claim: string }[];
  experiments: string | null; proofs: string[]; cost: Cost | null; script: { python: string; command: string };
}
interface Said { error?: { what: string; do: string }; fix?: { sentence: string; cured: string | null }; experiments?: { claim: string } | null }
interface Job { number: number; kind: "experiments" | "fix"; state: "running" | "done" | "cancelled" | "failed"; seconds: number; said: Said }

const TONES: Record<string, string> = { certain: "bad", confirmed: "bad", finding: "warn", observation: "" };
const EVERY = 1000, EVERY_TRAINING = 5000; // milliseconds

export default function Doctor({ run }: PageProps): JSX.Element {
  const [again, setAgain] = useState(0);
  const found = useLoaded((signal) => get<Diagnosis>(ofRun(run, "doctor", { lang: lang.value }), signal), [run, lang.value, again]);
  const training = found.value?.state === "training";
  useEffect(() => {
    if (!training) return;
    const timer = setInterval(() => setAgain((n) => n + 1), EVERY_TRAINING);
    return () => clearInterval(timer);
  }, [training]);
  return (
    <>
      <h1>{t("What the doctor says")}</h1>
      <Loaded found={found}>{(told) => <Told run={run} told={told} changed={() => setAgain((n) => n + 1)} />}</Loaded>
    </>
  );
}

function Told({ run, told, changed }: { run: string; told: Diagnosis; changed: () => void }): JSX.Element {
  const [jobs, ask] = useJobs(run, changed);
  const [why, setWhy] = useState("");
  const busy = jobs.some((job) => job.state === "running");
  return (
    <>
      <Piece html={told.verdict} />
      <Standing told={told} />
      <div aria-live="polite">{jobs.slice(0, 3).map((job) => <Work key={job.number} run={run} job={job} cost={told.cost} ask={ask} />)}</div>
      {told.cards.map((card) => <OneCard key={card.code} run={run} card={card} cost={told.cost} busy={busy} ask={ask} tell={setWhy} />)}
      {told.seen.length > 0 && (
        <section>
          <h2>{t("Also seen, and no alarm")}</h2>
          <ul>{told.seen.map((one) => <li><WhyButton code={one.code} tell={setWhy} />: {one.claim}</li>)}</ul>
        </section>
      )}
      <Tests told={told} run={run} busy={busy} ask={ask} />
      {told.proofs.length > 0 && <section><h2>{t("Remedies that were carried out")}</h2>{told.proofs.map((one) => <Piece html={one} />)}</section>}
      <Looked told={told} />
      <Script python={told.script.python} command={told.script.command} />
      {why && <Why code={why} onClose={() => setWhy("")} />}
    </>
  );
}

/** Where a diagnosis rests on less than a whole run, that is said first. */
function Standing({ told }: { told: Diagnosis }): JSX.Element | null {
  if (told.state === "training")
    return <p class="caution">{t("The run has not ended. This is what its curves show so far; causes are told at its end, and in the terminal while it trains.")}</p>;
  if (told.state === "interrupted")
    return <p class="caution">{t("The run was interrupted. This is what its curves show; causes are told when it has been resumed to its end.")}</p>;
  if (told.state === "log")
    return <p class="caution">{t("An imported log has curves and nothing else: symptoms can be told, causes cannot.")}</p>;
  if (told.state === "unwatched")
    return <p class="caution">{t("This run was trained without the doctor. Experiments can still be made.")}</p>;
  return null;
}

function OneCard(props: { run: string; card: Card; cost: Cost | null; busy: boolean; ask: Ask; tell: (code: string) => void }): JSX.Element {
  const { run, card, cost } = props;
  const [asking, setAsking] = useState(false);
  return (
    <article class="finding">
      <header>
        <h2>{card.title || card.code}</h2>
        <span class={`badge ${TONES[card.level] ?? ""}`}>{card.says}</span>
        <WhyButton code={card.code} tell={props.tell} />
      </header>
      <p class="claim">{card.claim}</p>
      <div class={card.chart ? "grid" : ""}>
        <div>
          <h3>{t("Evidence")}</h3>
          {card.evidence.length > 0 && <dl>{card.evidence.map(([name, value]) => <div><dt>{name}</dt><dd>{value}</dd></div>)}</dl>}
          {card.signal && <p><strong>{t("By what it is seen")}:</strong> {card.signal}</p>}
          {card.rule && <p class="note">{card.rule}</p>}
        </div>
        {card.chart && <Evidence card={card} chart={card.chart} />}
      </div>
      {card.remedy && <p><strong>{t("What to do")}:</strong> {card.remedy} {card.changes && <code>{card.changes}</code>}</p>}
      {card.changes && cost && (
        <button type="button" disabled={props.busy} onClick={() => setAsking(true)}>{t("Carry it out on a copy …")}</button>
      )}
      {asking && cost && (
        <Dialog title={t("Carry out the remedy and measure it")} onClose={() => setAsking(false)} actions={
          <button type="button" class="primary" onClick={() => { setAsking(false); props.ask("fix", { code: card.code }); }}>{t("Train")}</button>
        }>
          <p><code>{card.changes}</code></p>
          <p>{t("{n} pairs of runs are trained, each with and without the change, and then the run with the change. {run} stays as it is.", { n: cost.pairs, run })}</p>
          <p>{cost.fix_seconds === null ? t("How long it takes is not known.") : t("That takes about {time}.", { time: duration(cost.fix_seconds) })} {t("It goes on if the studio ends.")}</p>
        </Dialog>
      )}
    </article>
  );
}

function Evidence({ card, chart }: { card: Card; chart: Chart }): JSX.Element {
  return (
    <Figure title={chart.title} name={`${card.code}`} points={{ stored: chart.rows.length, drawn: chart.rows.length }}
      help={<p>{card.signal}</p>} numbers={() => ({ head: [t("series"), ...chart.head.slice(1)], rows: chart.rows })}>
      <Drawing svg={chart.svg} label={t("{title}, from {first} to {last}", { title: chart.title, first: String(chart.rows[0]?.[2] ?? ""), last: String(chart.rows.at(-1)?.[2] ?? "") })} />
    </Figure>
  );
}

/** Experiments: what they found, or what they would take. */
function Tests({ run, told, busy, ask }: { run: string; told: Diagnosis; busy: boolean; ask: Ask }): JSX.Element | null {
  const [asking, setAsking] = useState(false);
  const { cost } = told;
  if (!told.experiments && !cost) return null;
  return (
    <section>
      <h2>{t("Experiments")}</h2>
      {told.experiments ? <Piece html={told.experiments} />
        : <p>{t("Causes that look alike in the record are told apart by small trainings: a smaller and a larger model, another rate, rows held out, and shams that change the seed alone.")}</p>}
      {cost && <button type="button" disabled={busy} onClick={() => setAsking(true)}>{told.experiments ? t("Make them again …") : t("Make experiments …")}</button>}
      {asking && cost && (
        <Dialog title={t("Make experiments")} onClose={() => setAsking(false)} actions={
          <button type="button" class="primary" onClick={() => { setAsking(false); ask("experiments", {}); }}>{t("Train")}</button>
        }>
          <p>{cost.steps === null ? t("They take at most a quarter of the steps of the run.") : t("They take at most {n} steps, a quarter of those of the run.", { n: count(cost.steps) })}</p>
          <p>{cost.seconds !== null && t("That takes about {time}.", { time: duration(cost.seconds) })} {t("{run} keeps its weights; what was found is written beside them.", { run })}</p>
        </Dialog>
      )}
    </section>
  );
}

type Ask = (what: "experiments" | "fix" | "cancel", body: object) => void;

/** Commands that were started here, asked for as long as one is at work. */
function useJobs(run: string, changed: () => void): [Job[], Ask] {
  const [jobs, setJobs] = useState<Job[]>([]);
  const busy = jobs.some((job) => job.state === "running"), was = useRef(false);
  const look = (): void => { get<{ jobs: Job[] }>(ofRun(run, "doctor/jobs")).then((found) => setJobs(found.jobs), () => undefined); };
  useEffect(look, [run]);
  useEffect(() => {
    if (was.current && !busy) { announce(t("The command has ended")); changed(); }
    was.current = busy;
    if (!busy) return;
    const timer = setInterval(look, EVERY);
    return () => clearInterval(timer);
  }, [busy]);
  const ask: Ask = (what, body) => { post(ofRun(run, `doctor/${what}`), body).then(look, (error: Error) => announce(error.message)); };
  return [jobs, ask];
}

function Work({ run, job, cost, ask }: { run: string; job: Job; cost: Cost | null; ask: Ask }): JSX.Element {
  const what = job.kind === "fix" ? t("Remedy") : t("Experiments");
  const expected = num(job.kind === "fix" ? cost?.fix_seconds : cost?.seconds);
  const cured = job.said.fix?.cured?.split("/").pop();
  if (job.state === "running")
    return (
      <div class="toolbar job">
        <strong>{what}</strong>
        <span aria-live="off">{expected > 0 ? t("{time} of about {all}", { time: duration(job.seconds), all: duration(expected) }) : duration(job.seconds)}</span>
        {expected > 0 ? <progress aria-label={what} max={expected} value={Math.min(job.seconds, 0.97 * expected)} /> : <progress aria-label={what} />}
        <button type="button" class="danger" onClick={() => ask("cancel", { number: job.number })}>{t("Cancel")}</button>
      </div>
    );
  if (job.state === "cancelled") return <p class="note">{what}: {t("cancelled")}</p>;
  if (job.state === "failed") return <p class="error">{what}: {job.said.error ? [job.said.error.what, job.said.error.do].filter(Boolean).join("; ") : t("failed; try the command in a terminal")}</p>;
  return (
    <p class="note">{what}: {t("done in {time}", { time: duration(job.seconds) })}{" "}
      {cured && <a href={link(["runs", cured])}>{t("Open the run with the remedy")}</a>}{" "}
      {cured && <a href={link(["compare"], { runs: `${run},${cured}` })}>{t("Compare the two")}</a>}
    </p>
  );
}

function Looked({ told }: { told: Diagnosis }): JSX.Element {
  const { checked } = told;
  const rows: [string, string][] = [
    [told.state === "ended" ? t("causes asked for") : t("symptoms asked for"), "rules"], [t("steps"), "steps"], [t("epochs"), "epochs"],
    [t("deep looks at the model"), "looks"], [t("training rows looked at"), "train"], [t("validation rows looked at"), "valid"],
  ];
  return (
    <section>
      <h2>{t("What was looked at")}</h2>
      <dl>{rows.filter(([, name]) => checked[name]).map(([says, name]) => <div><dt>{says}</dt><dd>{count(Number(checked[name]))}</dd></div>)}</dl>
      <p class="note">{t("Rules find what they ask for. Silence is no proof that nothing is wrong.")}</p>
    </section>
  );
}

const WhyButton = ({ code, tell }: { code: string; tell: (code: string) => void }): JSX.Element =>
  <button type="button" class="link" aria-label={t("What {code} means", { code })} onClick={() => tell(code)}><code>{code}</code></button>;

interface Meaning { title: string; parts: [string, string][] }

export function Why({ code, onClose }: { code: string; onClose: () => void }): JSX.Element {
  const found = useLoaded((signal) => get<Meaning>(`/api/why/${encodeURIComponent(code)}?lang=${lang.value}`, signal), [code, lang.value]);
  return (
    <Dialog title={found.value ? `${code}: ${found.value.title}` : code} onClose={onClose}>
      <Loaded found={found}>{({ parts }) => <>{parts.map(([head, text]) => <><h3>{head}</h3><p>{text}</p></>)}</>}</Loaded>
    </Dialog>
  );
}
