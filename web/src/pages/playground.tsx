// The playground: a real recipe, trained by the real loop on points of a plane, seen while it learns.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../kit/announce";
import { get } from "../kit/api";
import { Figure, save } from "../kit/figure";
import { useKeys } from "../kit/keys";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { setting } from "../kit/setting";
import { t } from "../kit/words";
import { fromQuery, LETTERS, pointsCsv, toQuery, wishOf, type Choice, type Point, type Upload } from "./playground/choice";
import { DataControls, RecipeControls } from "./playground/controls";
import { LESSONS, choiceOf, type Lesson } from "./playground/lessons";
import { Losses, type History } from "./playground/losses";
import { Network, type UnitPlace } from "./playground/network";
import { answerAt, Plane, shares } from "./playground/plane";
import { Confusion, Findings, Numbers, Verdict } from "./playground/results";
import { listen, tell, type About, type Choices, type End, type Frame, type Message, type Overlay, type Told } from "./playground/stream";

const FEWEST = 10; // drawn points that make a set
const OTHERS = 4; // seeds that are overlaid
const CALM = matchMedia("(prefers-reduced-motion: reduce)"); // then two pictures a second
type Status = "waiting" | "ready" | "playing" | "paused" | "ended" | "diverged" | "wrong" | "lost";

/** What has been heard of the run that is shown. */
interface Heard { n: number; about?: About; frame?: Frame; end?: End; overlay?: Overlay; findings: Told[]; history: History; frames: number }
const nothing = (n: number): Heard => ({ n, findings: [], history: { steps: [], epochs: [] }, frames: 0 });

export default function Playground(): JSX.Element {
  const [choice, setChoice] = useState<Choice>(() => fromQuery(place.value.query).choice);
  const [points, setPoints] = useState<Point[]>(() => fromQuery(place.value.query).points);
  const [past, setPast] = useState<Point[][]>([]);
  const [upload, setUpload] = useState<Upload>();
  const [kind, setKind] = useState(0);
  const [status, setStatus] = useState<Status>("waiting");
  const [problem, setProblem] = useState("");
  const [lesson, setLesson] = useState<Lesson>();
  const [choices, setChoices] = useState<Choices>();
  const [runs, setRuns] = useState<string[]>([]);
  const [shown, setShown] = useState<UnitPlace>();
  const [pinned, setPinned] = useState<UnitPlace>();
  const [, redraw] = useState(0);
  const heard = useRef<Heard>(nothing(0)), name = useRef(""), waiting = useRef(0), playing = useRef(false);
  const latest = useRef({ choice, points, upload });
  latest.current = { choice, points, upload };
  const theme = setting("theme", "system").value;

  const draw = (): void => {
    if (waiting.current) return;
    const now = (): void => { waiting.current = 0; redraw((n) => n + 1); };
    waiting.current = CALM.matches ? setTimeout(now, 500) : requestAnimationFrame(now);
  };
  const told = (word: Record<string, unknown>): void => { void tell(name.current, word).catch((error: Error) => setProblem(error.message)); };
  const start = (to: Choice, drawn: Point[], table: Upload | undefined, play: boolean): void => {
    heard.current = { ...nothing(heard.current.n + 1) };
    setProblem("");
    setPinned(undefined);
    playing.current = play;
    const missing = to.data === "points" ? drawn.length < FEWEST || new Set(drawn.map(([, , of]) => of)).size < 2 : to.data === "csv" && !table;
    if (missing) { playing.current = false; setStatus("ready"); if (name.current) told({ do: "pause" }); draw(); return; }
    setStatus(play ? "playing" : "paused");
    if (name.current) told(wishOf(to, drawn, table, heard.current.n, !play));
  };
  const onMessage = (message: Message): void => {
    const now = heard.current;
    if ("n" in message && message.n !== undefined && message.n !== now.n) return; // of a run that is no longer wanted
    if (message.kind === "open") name.current = message.name;
    else if (message.kind === "ready") { setChoices(message.choices); start(latest.current.choice, latest.current.points, latest.current.upload, false); }
    else if (message.kind === "about") now.about = message;
    else if (message.kind === "frame") {
      now.frame = message;
      now.frames += 1;
      now.history.steps.push(...message.losses);
      now.history.epochs.push(...message.epochs);
      if (message.paused) { setStatus("paused"); playing.current = false; }
    } else if (message.kind === "finding") now.findings.push(message.finding);
    else if (message.kind === "end") { now.end = message; now.findings = message.findings; setStatus("ended"); playing.current = false; announce(t("Finished: {score}", { score: message.score.text })); }
    else if (message.kind === "diverged") { setStatus("diverged"); playing.current = false; setProblem(`${message.error.what}: ${message.error.do}`); }
    else if (message.kind === "error") { if (!message.besides) { setStatus("wrong"); playing.current = false; } setProblem(said(message.error)); }
    else if (message.kind === "seeds") now.overlay = message;
    else if (message.kind === "saved") { location.hash = link(["runs", message.run]); }
    else if (message.kind === "lost") { setStatus("lost"); setProblem(said(message.error)); }
    exposed(now);
    draw();
  };
  useEffect(() => {
    const stop = new AbortController();
    listen(onMessage, stop.signal).then(() => setStatus("lost"), (error: Error) => { if (!stop.signal.aborted) { setStatus("lost"); setProblem(error.message); } });
    get<{ runs: { name: string }[] }>("/api/runs", stop.signal).then((found) => setRuns(found.runs.map((run) => run.name).slice(0, 50)), () => undefined);
    return () => stop.abort();
  }, []);

  const to = (next: Choice, drawn: Point[], table: Upload | undefined, play: boolean): void => {
    setChoice(next);
    setPoints(drawn);
    setUpload(table);
    setQuery(toQuery(next, drawn));
    start(next, drawn, table, play);
  };
  const change = (part: Partial<Choice>): void => { setLesson(undefined); to({ ...choice, ...part }, points, upload, playing.current); };
  const drawn = (next: Point[]): void => { setPast([...past.slice(-99), points]); to(choice, next, upload, playing.current); };
  const undo = (): void => { const last = past.at(-1); if (last) { setPast(past.slice(0, -1)); to(choice, last, upload, playing.current); } };
  const begin = (one: Lesson): void => { setLesson(one); to(choiceOf(one), points, upload, true); };
  const play = (): void => {
    if (status === "paused") { playing.current = true; setStatus("playing"); told({ do: "resume" }); }
    else start(choice, points, upload, true);
  };
  useKeys([
    { key: "p", says: t("Play or pause"), does: () => { if (status === "playing") told({ do: "pause" }); else if (status !== "waiting" && status !== "lost") play(); } },
    { key: "s", says: t("One step"), does: () => { if (status === "paused") told({ do: "step" }); } },
    { key: "1 – 4", says: t("On the plane: a point of that class") }, { key: "Del", says: t("On the plane: erase the nearest point") },
  ], [status, choice, points]);
  const speed = (value: number): void => { const next = { ...choice, speed: value }; setChoice(next); setQuery(toQuery(next, points)); if (name.current) told({ do: "speed", speed: value }); };

  const { about, frame, end, overlay, findings, history } = heard.current;
  const seen = pinned ?? shown, map = seen && frame?.units[seen.layer]?.[seen.unit];
  const unit = map ? { map, name: t("Hidden layer {n}, unit {unit}", { n: seen.layer + 1, unit: seen.unit + 1 }) } : undefined;
  const drawing = choice.data === "points" ? { points, kind, change: drawn, undo } : undefined;
  const props = { choice, choices, about, points, kind, runs, upload, change, draw: drawn, undo, setKind, refuse: setProblem, take: (table: Upload) => { setLesson(undefined); to({ ...choice, x: "", y: "" }, points, table, false); } } as Parameters<typeof DataControls>[0];
  const still = status === "paused" || status === "ready" || status === "ended";
  return (
    <div class="playground">
      <h1>{t("Playground")}</h1>
      <p class="note">{t("A real recipe, trained by the loop that chymist fit uses: same rows, recipe and seed give the same numbers to the last bit.")}</p>
      <div class="toolbar" role="group" aria-label={t("Lessons")}>
        {LESSONS.map((one) => <button type="button" aria-pressed={lesson === one} disabled={status === "waiting" || status === "lost"} onClick={() => begin(one)}>{t(one.name)}</button>)}
      </div>
      {lesson && <p class="lesson">{t(lesson.says)}</p>}
      <div class="toolbar" role="group" aria-label={t("Training")}>
        {status === "playing" ? <button type="button" class="primary" onClick={() => told({ do: "pause" })}>{t("Pause")}</button>
          : <button type="button" class="primary" disabled={status === "waiting" || status === "lost"} onClick={play}>{t("Play")}</button>}
        <button type="button" disabled={status !== "paused"} onClick={() => told({ do: "step" })}>{t("One step")}</button>
        <button type="button" disabled={status !== "paused"} onClick={() => told({ do: "epoch" })}>{t("One epoch")}</button>
        <button type="button" disabled={!about} onClick={() => start(choice, points, upload, false)}>{t("Reset")}</button>
        <label for="speed">{t("steps a picture")}</label>
        <select id="speed" value={choice.speed} onChange={(event) => speed(Number(event.currentTarget.value))}>
          {[1, 10, 50, 200].map((n) => <option value={n}>{n}</option>)}<option value={0}>{t("as fast as it goes")}</option>
        </select>
        <span class="state"><span role="status" data-status={status}>{t(STATUS[status])}</span>{frame && about ? ` · ${t("step {step} of {steps}, epoch {epoch}", { step: frame.step, steps: about.steps, epoch: frame.epoch.toFixed(1) })}` : ""}</span>
      </div>
      {problem && <p class="error" role="alert">{problem}</p>}
      <div class="columns">
        <div><DataControls {...props} /><RecipeControls {...props} /></div>
        <Figure
          name="plane" title={unit ? t("What one unit says: {name}", { name: unit.name }) : titleOf(about)}
          note={about && frame && !unit ? [t("Filled points are trained on, open ones are held out."), shares(about, frame)].filter(Boolean).join(" ") : unit ? t("Orange is positive, blue negative; the dashed line is 0.") : undefined}
          help={<p>{t("Every place of the plane has the colour of the model's answer there; the line is where it changes its mind. Good: the line runs between the classes, and open points lie on their own side as filled ones do. Bad: it bends round single filled points and misses open ones.")}</p>}
          points={about ? { stored: about.points.rows, drawn: about.points.x.length } : undefined as never}
          numbers={() => rowsTable(about, frame, points)}
        >
          <Plane theme={theme} {...(about ? { about } : {})} {...(frame ? { frame } : {})} {...(overlay ? { overlay } : {})} {...(unit ? { unit } : {})} {...(drawing ? { drawing } : {})} />
        </Figure>
        <div>
          {about && frame && frame.weights.length > 0 && (
            <Figure
              name="network" title={t("{model}: {n} weights; each unit shows what it says over the plane", { model: about.model, n: about.parameters })}
              note={t("Thick edges are large weights, dashed ones negative; at most 8 units of a layer are drawn. Point at a unit to enlarge it, press it to keep it.")}
              help={<p>{t("A unit of the first layer cuts the plane in two along a line; later layers combine such cuts. Good: units differ. Bad: pictures of one colour, units that say the same everywhere.")}</p>}
              numbers={() => ({ head: [t("layer"), t("to"), t("from"), t("weight")], rows: frame.weights.flatMap((matrix, layer) => matrix.flatMap((row, unitTo) => row.map((weight, from) => [layer + 1, unitTo + 1, from + 1, weight]))) })}
            >
              <Network about={about} frame={frame} theme={theme} {...(pinned ? { pinned } : {})} show={(one) => setShown(one)} pin={setPinned} />
            </Figure>
          )}
          {about && (
            <Figure
              name="loss" title={t("The loss while it learns: {loss}", { loss: about.loss })} note={t("Grey: smallest and largest loss of the steps between pictures; solid: training, dashed: validation, by epoch.")}
              help={<p>{t("Good: both lines fall and stay together. Bad: validation rises while training falls (overfitting), or both stay high (the model or the rate is wrong).")}</p>}
              numbers={() => ({ head: [t("epoch"), t("step"), t("training loss"), t("validation loss"), t("validation score")], rows: history.epochs.map((one) => one.map((v) => v ?? "")) })}
            ><Losses history={{ ...history }} total={about.steps} /></Figure>
          )}
        </div>
      </div>
      {about && (
        <section aria-label={t("Result")} class="result">
          <h2>{t("Result")}</h2>
          {end ? <Verdict about={about} end={end} {...(overlay ? { overlay } : {})} /> : <p class="note">{t("The verdict comes when the run has ended.")}</p>}
          <div class="beside">
            <Numbers about={about} {...(frame ? { frame } : {})} {...(end ? { end } : {})} {...(history.epochs.length ? { last: history.epochs.at(-1)! } : {})} />
            {about.classes.length > 0 && frame?.scores.valid && <Confusion classes={about.classes} counts={end?.confusion ?? frame.scores.valid[2]} />}
          </div>
          <h2>{t("What the doctor says")}</h2>
          {end || findings.length || status === "diverged" ? <Findings findings={findings} /> : <p class="note">{t("It looks on while the model trains.")}</p>}
          <div class="toolbar" role="group" aria-label={t("Keep it")}>
            <button type="button" onClick={() => save("recipe.toml", about.toml, "application/toml")}>{t("Save as recipe")}</button>
            <button type="button" disabled={status === "playing"} onClick={() => told({ do: "save" })}>{t("Save as run")}</button>
            <button type="button" disabled={!still} onClick={() => told({ do: "seeds", seeds: OTHERS })}>{t("Overlay {n} more seeds", { n: OTHERS })}</button>
            {choice.data === "points" && <button type="button" onClick={() => save("points.csv", pointsCsv(points), "text/csv")}>{t("Save the points")}</button>}
          </div>
          <Script python={about.python} command={about.command} />
        </section>
      )}
    </div>
  );
}

const STATUS: Record<Status, string> = {
  waiting: "The worker is starting; the first time takes some seconds", ready: "Draw points, or choose a table", playing: "Training", paused: "Paused",
  ended: "Finished", diverged: "Diverged", wrong: "Cannot be trained so", lost: "The worker has gone; load the page again",
};

const said = (error: { what: string; where: string; received: string; do: string }): string =>
  [error.what, error.where && `(${error.where})`, error.received && t("got {what}", { what: error.received }), error.do].filter(Boolean).join("; ");

const titleOf = (about?: About): string => !about ? t("The plane")
  : about.task === "regression" ? t("What {model} says of {target} over the plane", { model: about.model, target: about.target })
  : t("Where {model} says which class", { model: about.model });

function rowsTable(about: About | undefined, frame: Frame | undefined, points: Point[]): { head: string[]; rows: (string | number)[][] } {
  const axes = about?.axes.length === 2 ? about.axes : ["x1", "x2"];
  if (!about) return { head: [...axes, t("class")], rows: points.map(([x, y, of]) => [x, y, LETTERS[of] ?? ""]) };
  const { x, y, of, valid } = about.points;
  return {
    head: [...axes, about.target, t("part"), t("the model says")],
    rows: x.map((px, at) => [px, y[at]!, about.classes[of[at]!] ?? of[at]!, valid[at] ? t("validation") : t("training"), frame ? answerAt(about, frame, px, y[at]!) : ""]),
  };
}

/** For tests: what is drawn. */
function exposed(now: Heard): void {
  const all = ((window as unknown as { __chart?: Record<string, unknown> }).__chart ??= {});
  all.playground = { n: now.n, frames: now.frames, step: now.frame?.step, scores: now.frame?.scores, end: now.end, epochs: now.history.epochs.length, at: performance.now() };
}
