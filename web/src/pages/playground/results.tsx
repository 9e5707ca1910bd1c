// What came out: the same numbers, floors, verdict and findings as everywhere in chymist.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Why } from "../doctor";
import { lang, t } from "../../kit/words";
import type { About, End, Frame, Overlay, Told } from "./stream";

const percent = (metric: string): string => (metric === "accuracy" ? t("accuracy") : metric);
const fixed = (v: number | null | undefined): string => (v === null || v === undefined ? "–" : isFinite(Number(v)) ? Number(v).toFixed(3) : String(v));

export function Numbers({ about, frame, end, last }: { about: About; frame?: Frame; end?: End; last?: readonly (number | null)[] }): JSX.Element {
  const metric = about.task === "regression" ? "rmse" : "accuracy";
  const row = (part: "train" | "valid", name: string, n: number): JSX.Element => {
    const done = part === "train" ? end?.trained : end?.score;
    return <tr><th scope="row">{name}</th><td class="n">{n}</td><td class="n">{fixed(last?.[part === "train" ? 2 : 3])}</td><td class="n" data-part={part}>{done ? done.text : frame?.scores[part]?.[1] ?? "–"}</td></tr>;
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("Numbers of this run")}>
      <table>
        <thead><tr><th scope="col">{t("rows")}</th><th scope="col" class="n">n</th><th scope="col" class="n">{t("loss of the last epoch")}</th><th scope="col" class="n">{end ? t("{metric} [95 % interval]", { metric: percent(metric) }) : percent(metric)}</th></tr></thead>
        <tbody>
          {row("train", t("Training"), about.train)}
          {row("valid", t("Validation"), about.held_out)}
          {end?.floors.map((floor) => <tr class="floor"><th scope="row">{t("floor: {name}", { name: lang.value === "zh" ? floor.zh : floor.name })}</th><td class="n">{floor.n}</td><td class="n">–</td><td class="n">{floor.text}</td></tr>)}
        </tbody>
      </table>
    </div>
  );
}

export function Confusion({ classes, counts }: { classes: string[]; counts: number[][] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("Confusion counts")}>
      <table class="matrix">
        <caption>{t("Validation rows by class (down) and by what was predicted (across)")}</caption>
        <thead><tr><td />{classes.map((name) => <th scope="col">{name}</th>)}</tr></thead>
        <tbody>{counts.map((row, kind) => <tr><th scope="row">{classes[kind]}</th>{row.map((n, said) => <td class={n === 0 ? "z" : said === kind ? "" : "wrong"}>{n}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

export function Verdict({ about, end, overlay }: { about: About; end: End; overlay?: Overlay }): JSX.Element {
  const lowest = end.floors.find((floor) => floor.name === "majority class" || floor.name === "mean");
  const linear = ["softmax", "logistic", "linear", "perceptron", "linear_svm"].includes(about.model);
  const beats = lowest && (end.score.metric === "rmse" ? end.score.high < lowest.low : end.score.low > lowest.high);
  const known = { model: about.model, score: end.score.text, data: about.data, n: end.score.n };
  const said = !lowest ? "" : beats ? t("{model} reaches {score} on {n} validation rows of {data}.", known)
    : linear ? t("A linear model cannot do it: {score} on {n} validation rows of {data}, no better than saying the same for every row.", known)
    : t("{model} comes to {score} on {n} validation rows of {data}, no better than saying the same for every row.", known);
  return (
    <>
      {said && <p class="verdict" data-verdict={beats ? "better" : "no better"}>{said}</p>}
      <p>{lang.value === "zh" ? end.verdict_zh || end.verdict : end.verdict}</p>
      {end.metrics.r2 && <p class="note">R² {end.metrics.r2[1]}</p>}
      {overlay && <p class="note">{t("Other seeds: {scores}.", { scores: overlay.scores.map(([seed, text]) => `${seed}: ${text}`).join(", ") })}{overlay.diverged > 0 && ` ${t("{n} diverged.", { n: overlay.diverged })}`}</p>}
    </>
  );
}

export function Findings({ findings }: { findings: Told[] }): JSX.Element {
  const zh = lang.value === "zh";
  const [why, setWhy] = useState(""); // the code that is explained
  if (!findings.length) return <p class="note">{t("The doctor has nothing to say about this run.")}</p>;
  return (
    <>
    <ul class="findings">{findings.map((one) => (
      <li><strong>{zh ? one.zh : one.claim}</strong> <span class="badge plain">{t(LEVELS[one.level] ?? one.level)}</span> <button type="button" class="link" onClick={() => setWhy(one.code)}><code>{one.code}</code></button>
        {one.remedy && <p class="note">{t("Remedy: {words}", { words: zh ? one.remedy_zh : one.remedy })}</p>}</li>
    ))}</ul>
    {why && <Why code={why} onClose={() => setWhy("")} />}
    </>
  );
}

const LEVELS: Record<string, string> = { observation: "observation", finding: "finding", confirmed: "confirmed", certain: "certain" };
