// A run at a glance: what it gave or how far it is, and what its user may ask of it.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../kit/announce";
import { get, num, ofRun, post } from "../kit/api";
import { Dialog } from "../kit/dialog";
import { ago, count, duration, when } from "../kit/format";
import type { PageProps } from "../kit/pages";
import { link } from "../kit/route";
import { Script } from "../kit/script";
import { LIVE } from "../kit/state";
import { lang, t } from "../kit/words";

interface Status {
  state: string; alive: boolean; step: number | null; steps: number | null; epoch: number | null; per_epoch: number | null;
  updated: number | null; pace: number | null; left: [number, number, number] | null; rows_per_second: number | null; resumable: boolean;
}
interface Score { metric: string; text: string; rows: string; interval: string; part: string; cautions: string[] }
interface Entry { at: number; step: number; action: string; by: string; effect: string }
interface Kept { step: number; at: number; size: number; damage: string }
interface Overview {
  kind: string; folder: string; now: number; verdict: string; score: Score | null; data: string;
  status?: Status; age: number | null; error: string; floors: { name: string; score: Score | null }[]; notes: string[];
  seconds: string; waiting: number | null; parameters: number | null;
  findings: { code: string; level: string; claim: string }[]; checkpoints: Kept[]; recipe: Record<string, string>;
  environment: Record<string, string>; history: Entry[]; actions: Record<string, string>;
}
interface Again { differs: [string, string, string][] | null; python: string; command: string; why: string }
interface Child { name: string; step: number; changes: string[] }

const EVERY = 1000, EVERY_AT_REST = 5000; // milliseconds
const STALE = 10; // seconds
const TONES: Record<string, string> = { certain: "bad", confirmed: "bad", finding: "warn", observation: "" };
const NAMES: Record<string, () => string> = {
  pause: () => t("Pause"), resume: () => t("Go on"), checkpoint: () => t("Save now"), "finish-epoch": () => t("Finish the epoch"), stop: () => t("Stop and score"), "stop-now": () => t("Stop, resume later"),
};
const ENDS = ["finish-epoch", "stop", "stop-now"]; // asked twice
const FIELDS: [string, () => string][] = [
  ["optimizer.lr", () => t("Learning rate")], ["optimizer.weight_decay", () => t("Weight decay")], ["augment", () => t("Augmentation")], ["length", () => t("Length")],
];
const HEADINGS: Record<string, () => string> = {
  starting: () => t("This run is about to train"), running: () => t("This run trains"), paused: () => t("This run is paused"), diverged: () => t("This run has diverged"),
  interrupted: () => t("This run was interrupted, and can be resumed"), crashed: () => t("The process of this run is gone; it can be resumed"),
  damaged: () => t("The files of this run cannot be read"),
};

export default function Page({ run }: PageProps): JSX.Element {
  const [found, setFound] = useState<{ told?: Overview; at: number; error?: Error }>({ at: 0 });
  const [asked, setAsked] = useState(0);
  const state = found.told?.status?.state ?? "";
  useEffect(() => {
    const stop = new AbortController();
    const ask = (): void => {
      if (document.hidden && asked > 0) return;
      get<Overview>(ofRun(run, "", { lang: lang.value }), stop.signal).then(
        (told) => setFound({ told, at: performance.now() }),
        (error: Error) => { if (!stop.signal.aborted) setFound((old) => (old.told ? old : { at: 0, error })); },
      );
    };
    ask();
    const timer = setInterval(ask, LIVE.includes(state) ? EVERY : EVERY_AT_REST);
    return () => { clearInterval(timer); stop.abort(); };
  }, [run, lang.value, asked, LIVE.includes(state)]);
  const { told, error } = found;
  if (error) return <><h1>{t("Overview")}</h1><p class="error" role="alert">{error.message}</p></>;
  if (!told) return <p class="note" aria-busy="true">{t("Loading")} …</p>;
  return (
    <div class="overview">
      {told.status ? <Run run={run} told={told} status={told.status} at={found.at} again={() => setAsked((n) => n + 1)} /> : <Study run={run} told={told} />}
    </div>
  );
}

function Study({ run, told }: { run: string; told: Overview }): JSX.Element {
  const page = told.kind === "population" ? "population" : told.kind === "import" ? "curves" : "comparison";
  return (
    <>
      <h1 class="verdict">{told.verdict || t("Overview")}</h1>
      {told.score && <Headline score={told.score} floors={[]} />}
      {told.data && <p>{t("Data: {name}", { name: told.data })}</p>}
      <p><a href={link(["runs", run, page])}>{t("See it in full")}</a></p>
    </>
  );
}

function Run({ run, told, status, at, again }: { run: string; told: Overview; status: Status; at: number; again: () => void }): JSX.Element {
  const ended = !LIVE.includes(status.state);
  return (
    <>
      <h1 class={told.verdict ? "verdict" : ""}>{told.verdict || (HEADINGS[status.state]?.() ?? t("Overview"))}</h1>
      {told.error && <p class="error">{told.error}</p>}
      {told.notes.map((note) => <p class="caution">{note}</p>)}
      <div class="head">
        {told.score && <Headline score={told.score} floors={told.floors} />}
        <Progress status={status} told={told} at={at} />
      </div>
      <Steering run={run} told={told} status={status} again={again} />
      <Findings run={run} told={told} ended={ended} />
      <History told={told} />
      <Checkpoints told={told} />
      <Branches run={run} asked={told.history.length} />
      <Recipe run={run} told={told} ended={ended} />
      <Pairs title={t("Environment")} of={told.environment} />
    </>
  );
}

function Headline({ score, floors }: { score: Score; floors: Overview["floors"] }): JSX.Element {
  const floor = floors[0];
  return (
    <div>
      <p class="eyebrow">{t("{metric}, {part} rows", { metric: score.metric, part: score.part })}</p>
      <p class="big">{score.text}</p>
      <p>{t("95 % interval {interval}, on {rows}.", { interval: score.interval, rows: score.rows })}</p>
      {floor?.score && <p>{t("The strongest floor, {name}, reaches {value}.", { name: floor.name, value: floor.score.text })}</p>}
      {score.cautions.map((text) => <p class="caution note">{text}</p>)}
    </div>
  );
}

/** Seconds that have gone by since a moment, counted anew each half second. */
function useSince(at: number): number {
  const [now, setNow] = useState(performance.now());
  useEffect(() => { const timer = setInterval(() => setNow(performance.now()), 500); return () => clearInterval(timer); }, []);
  return Math.max(0, now - at) / 1000;
}

function Progress({ status, told, at }: { status: Status; told: Overview; at: number }): JSX.Element {
  const since = useSince(at), live = LIVE.includes(status.state);
  const age = told.age === null ? NaN : told.age + (live ? since : 0);
  const gone = status.resumable, stale = live && status.state !== "paused" && age >= STALE;
  const left = status.left?.map((seconds) => duration(num(seconds)));
  const facts: [string, string][] = [
    [t("Step"), status.step === null ? "–" : status.steps ? t("{n} of {all}", { n: count(status.step), all: count(status.steps) }) : count(status.step)],
    [t("Epoch"), status.epoch === null ? "–" : num(status.epoch).toFixed(2)],
    [t("Training rows a second"), status.rows_per_second === null ? "–" : count(Math.round(num(status.rows_per_second)))],
  ];
  if (live) facts.push([t("Time left"), left ? t("{middle} ({low} to {high})", { middle: left[0]!, low: left[1]!, high: left[2]! }) : "–"]);
  if (told.seconds) facts.push([t("Time"), told.seconds]);
  if (told.waiting !== null) facts.push([t("Waiting for data"), `${(100 * num(told.waiting)).toFixed(1)} %`]);
  if (told.parameters !== null) facts.push([t("Parameters"), count(told.parameters)]);
  return (
    <div>
      {live && status.steps !== null && <progress max={status.steps} value={status.step ?? 0} aria-label={t("Steps taken")} />}
      <dl>{facts.map(([name, value]) => <div><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      {isFinite(age) && (
        <p class={`age ${gone ? "bad" : stale ? "warn" : ""}`}>
          {gone ? t("The process is gone; last heard {ago}", { ago: ago(age) }) : status.state === "paused" ? t("Paused; memory is kept") : t("Updated {ago}", { ago: ago(age) })}
        </p>
      )}
    </div>
  );
}

function Steering({ run, told, status, again }: { run: string; told: Overview; status: Status; again: () => void }): JSX.Element {
  const [busy, setBusy] = useState(""), [said, setSaid] = useState<{ text: string; bad: boolean }>(), [sure, setSure] = useState("");
  const [form, setForm] = useState(false);
  const live = LIVE.includes(status.state);
  const shown = !live ? [] : [status.state === "paused" ? "resume" : "pause", "checkpoint", ...ENDS];
  const sound = told.checkpoints.some((one) => !one.damage);
  const done = (text: string, bad = false): void => { setBusy(""); setSaid({ text, bad }); announce(text); again(); };
  const ask = (action: string): void => {
    setSure(""); setBusy(action); setSaid(undefined);
    post<Entry>(ofRun(run, "steer", { lang: lang.value }), { action }).then((entry) => done(entry.effect), (error: Error) => done(error.message, true));
  };
  const goOn = (): void => {
    setBusy("go on"); setSaid(undefined);
    post(ofRun(run, "resume"), {}).then(() => done(t("Training goes on")), (error: Error) => done(error.message, true));
  };
  return (
    <section aria-label={t("Steering")}>
      <h2>{t("Steering")}</h2>
      <ul class="steering">
        {shown.map((action) => (
          <li>
            <button type="button" disabled={busy !== ""} class={action === "stop" ? "danger" : ""} aria-describedby={`does-${action}`}
              onClick={() => (ENDS.includes(action) ? setSure(action) : ask(action))}>{NAMES[action]?.()}</button>
            <span class="note" id={`does-${action}`}>{told.actions[action]}</span>
          </li>
        ))}
        {status.resumable && (
          <li>
            <button type="button" class="primary" disabled={busy !== ""} aria-describedby="does-go-on" onClick={goOn}>{t("Resume")}</button>
            <span class="note" id="does-go-on">{sound ? t("goes on from the newest checkpoint, in a process of its own; the result is the same to the bit")
              : t("begins again, as no checkpoint was saved, in a process of its own; the result is the same to the bit")}</span>
          </li>
        )}
        {sound && (
          <li>
            <button type="button" aria-expanded={form} aria-describedby="does-branch" onClick={() => setForm(!form)}>{t("Branch …")}</button>
            <span class="note" id="does-branch">{t("a new run from a checkpoint of this one, with a change; this one stays untouched")}</span>
          </li>
        )}
      </ul>
      {busy && <p class="note" aria-busy="true">{t("Waiting for the answer of the run")} …</p>}
      {said && <p class={said.bad ? "error" : "caution"} role={said.bad ? "alert" : "status"}>{said.text}</p>}
      {form && <BranchForm run={run} told={told} />}
      {sure && (
        <Dialog title={NAMES[sure]?.() ?? sure} onClose={() => setSure("")}
          actions={<button type="button" class="danger" onClick={() => ask(sure)}>{t("Yes: {action}", { action: NAMES[sure]?.() ?? sure })}</button>}>
          <p>{t("The run {effect}.", { effect: told.actions[sure] ?? "" })}</p>
        </Dialog>
      )}
    </section>
  );
}

function BranchForm({ run, told }: { run: string; told: Overview }): JSX.Element {
  const steps = told.checkpoints.filter((one) => !one.damage).map((one) => one.step).reverse();
  const fields = FIELDS.filter(([name]) => name in told.recipe || name === "augment");
  const [step, setStep] = useState(steps[0] ?? 0), [values, setValues] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false), [made, setMade] = useState<{ run: string | null; folder: string }>(), [error, setError] = useState("");
  const place = useRef<HTMLFormElement>(null);
  const changes = Object.fromEntries(Object.entries(values).filter(([name, text]) => text.trim() && text !== told.recipe[name]));
  const create = (event: Event): void => {
    event.preventDefault();
    setBusy(true); setError(""); setMade(undefined);
    post<{ run: string | null; folder: string }>(ofRun(run, "branch"), { step, changes }).then(
      (found) => { setBusy(false); setMade(found); announce(t("The branch trains")); },
      (failed: Error) => { setBusy(false); setError(failed.message); },
    );
  };
  return (
    <form ref={place} onSubmit={create} aria-label={t("Branch")}>
      <div class="fields">
        <label>{t("From the checkpoint of step")}
          <select value={String(step)} onChange={(event) => setStep(Number(event.currentTarget.value))}>
            {steps.map((one) => <option value={String(one)}>{count(one)}</option>)}
          </select>
        </label>
        {fields.map(([name, label]) => (
          <label>{label()} <small>{name}</small>
            <input type="text" maxLength={200} value={values[name] ?? told.recipe[name] ?? ""} onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })} />
          </label>
        ))}
      </div>
      <p class="note">{Object.keys(changes).length ? t("Changes: {list}", { list: Object.entries(changes).map(([name, text]) => `${name} ${told.recipe[name] ?? "–"} → ${text}`).join("; ") })
        : t("Without a change the branch ends with the same bits as this run.")}</p>
      <p class="toolbar">
        <button type="submit" class="primary" disabled={busy}>{t("Create the branch at step {n}", { n: count(step) })}</button>
        {busy && <span class="note" aria-busy="true">{t("Waiting until it trains")} …</span>}
      </p>
      {error && <p class="error" role="alert">{error}</p>}
      {made && <p class="caution" role="status">{made.run ? <a href={link(["runs", made.run])}>{t("The branch trains: {name}", { name: made.run })}</a> : t("The branch trains in {folder}", { folder: made.folder })}</p>}
    </form>
  );
}

function Findings({ run, told, ended }: { run: string; told: Overview; ended: boolean }): JSX.Element | null {
  if (!told.findings.length) return ended && told.score ? <p class="note"><a href={link(["runs", run, "doctor"])}>{t("The doctor found nothing.")}</a></p> : null;
  return (
    <section aria-label={t("Findings")}>
      <h2>{t("Findings")}</h2>
      <ul>{told.findings.map((one) => (
        <li><a class={`badge ${TONES[one.level] ?? ""}`} href={link(["runs", run, "doctor"])}>{one.code}</a> {one.claim}</li>
      ))}</ul>
    </section>
  );
}

const WHO: Record<string, () => string> = { command: () => t("the command line"), studio: () => t("the studio"), python: () => t("Python"), signal: () => t("a signal") };

function History({ told }: { told: Overview }): JSX.Element | null {
  if (!told.history.length) return null;
  return (
    <section aria-label={t("History")}>
      <h2>{t("History")}</h2>
      <ol class="history">{told.history.map((entry) => (
        <li>
          <time dateTime={new Date(1000 * entry.at).toISOString()}>{when(entry.at)}</time>
          {entry.effect}{WHO[entry.by] && <span class="note"> ({t("asked by {who}", { who: WHO[entry.by]!() })})</span>}
        </li>
      ))}</ol>
    </section>
  );
}

function Checkpoints({ told }: { told: Overview }): JSX.Element | null {
  if (!told.checkpoints.length) return null;
  return (
    <section>
      <h2>{t("Checkpoints")}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Checkpoints")}>
        <table>
          <thead><tr><th scope="col" class="n">{t("Step")}</th><th scope="col">{t("Saved")}</th><th scope="col" class="n">{t("Size")}</th><th scope="col">{t("Read back")}</th></tr></thead>
          <tbody>{told.checkpoints.map((one) => (
            <tr><td class="n">{count(one.step)}</td><td class="t">{when(one.at)}</td><td class="n">{(one.size / 1e6).toFixed(2)} MB</td>
              <td>{one.damage ? <span class="badge bad">{one.damage}</span> : <span class="badge ok">{t("verified")}</span>}</td></tr>
          ))}</tbody>
        </table>
      </div>
    </section>
  );
}

function Branches({ run, asked }: { run: string; asked: number }): JSX.Element | null {
  const [found, setFound] = useState<Child[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    get<{ branches: Child[] }>(ofRun(run, "branches"), stop.signal).then((told) => setFound(told.branches), () => undefined);
    return () => stop.abort();
  }, [run, asked]);
  if (!found.length) return null;
  return (
    <section aria-label={t("Branches")}>
      <h2>{t("Branches")}</h2>
      <ul>{found.map((one) => (
        <li><a href={link(["runs", one.name])}>{one.name}</a> {t("from step {n}: {changes}", { n: count(one.step), changes: one.changes.join("; ") || t("no change") })}</li>
      ))}</ul>
    </section>
  );
}

function Recipe({ run, told, ended }: { run: string; told: Overview; ended: boolean }): JSX.Element {
  const [wanted, setWanted] = useState(ended), [again, setAgain] = useState<Again>(), [failed, setFailed] = useState("");
  useEffect(() => {
    if (!wanted && !ended) return;
    const stop = new AbortController();
    get<Again>(ofRun(run, "again"), stop.signal).then(setAgain, (error: Error) => { if (!stop.signal.aborted) setFailed(error.message); });
    return () => stop.abort();
  }, [run, wanted || ended]);
  const usual = new Map((again?.differs ?? []).map(([name, old]) => [name, old]));
  return (
    <section>
      <h2>{t("Recipe")}</h2>
      <details onToggle={(event) => { if ((event.currentTarget as HTMLDetailsElement).open) setWanted(true); }}>
        <summary>{again?.differs ? t("{n} of {all} values differ from the defaults for this data", { n: usual.size, all: Object.keys(told.recipe).length }) : t("All values")}</summary>
        {(failed || again?.why) && <p class="note">{failed || again?.why}</p>}
        <div class="scroll" tabIndex={0} role="region" aria-label={t("Recipe")}>
          <table>
            <thead><tr><th scope="col">{t("Field")}</th><th scope="col">{t("This run")}</th><th scope="col">{t("Default")}</th></tr></thead>
            <tbody>{Object.entries(told.recipe).map(([name, text]) => (
              <tr class={usual.has(name) ? "changed" : ""}><th scope="row">{name}</th><td>{text}</td><td>{usual.has(name) ? usual.get(name) || "–" : again?.differs ? t("the same") : ""}</td></tr>
            ))}</tbody>
          </table>
        </div>
      </details>
      {again?.python && <Script python={again.python} command={again.command} />}
    </section>
  );
}

function Pairs({ title, of }: { title: string; of: Record<string, string> }): JSX.Element {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <dl>{Object.entries(of).map(([name, text]) => <div><dt>{name}</dt><dd>{text}</dd></div>)}</dl>
    </section>
  );
}
