import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get, ofRun } from "../kit/api";
import { Answer, type Example, ExampleList, ShownRow, wordOf } from "../kit/examples";
import { Figure, Table } from "../kit/figure";
import { asked, fitting } from "../kit/lines";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { Drawing } from "../kit/svg";
import { lang, t } from "../kit/words";
import { Network } from "./explain-network";

export interface Asked {
  kind: string; task: string; classes: string[]; target: string; n: number; sealed: number;
  methods: { name: string; title: string; about: number }[]; takes: string; columns: string[]; convolutions: string[];
}
interface Told {
  form: "map" | "words" | "drawing"; title: string; sentence?: string; target?: string; unit?: string; constant: string; took?: number;
  likely?: [string, string][]; range?: [string, string]; strongest?: string; checks: { name: string; sentence: string }[]; notes: string[];
  picture?: string; map?: string; random?: string; signed?: boolean; svg?: string; head?: string[]; rows?: string[][];
  bars?: { rows: [string, string, number, string][]; more: number }; words?: [string, string, string, string][]; more?: number; at?: number | null;
  script: { python: string; command: string };
}

const WHOLE = ["permutation", "partial-dependence"];

export default function Explain({ run }: PageProps): JSX.Element {
  const found = useLoaded((signal) => get<Asked>(ofRun(run, "explain"), signal), [run]);
  return (
    <>
      <h1>{t("Why {run} answers as it does", { run })}</h1>
      <Loaded found={found}>{(made) => made.methods.length ? <Shown run={run} made={made} />
        : <p>{t("Answers of this run have no explanation of a single row here: it predicts the next token. See gradient reach on the command line.")}</p>}</Loaded>
    </>
  );
}

function Shown({ run, made }: { run: string; made: Asked }): JSX.Element {
  const query = place.value.query;
  const method = made.methods.find((one) => one.name === query.get("method")) ?? made.methods[0]!;
  const row = Number(query.get("row")) || 0, target = query.get("target") ?? "";
  const column = query.get("column") ?? made.columns[0] ?? "";
  const [own, setOwn] = useState<Blob>();
  const set = (name: string) => (event: Event): void => setQuery({ [name]: (event.currentTarget as HTMLSelectElement).value || null });
  const whole = WHOLE.includes(method.name);
  const aim: Record<string, string> = { method: method.name, lang: lang.value, ...(target && made.classes.length && !(whole && method.name === "permutation") ? { target } : {}) };
  if (method.name === "partial-dependence") aim.column = column;
  if (!whole && row) aim.row = String(row);
  if (made.task === "tagging" && query.get("position")) aim.position = query.get("position")!;
  return (
    <>
      <Chooser run={run} made={made} row={own ? 0 : row} choose={(one) => { setOwn(undefined); setQuery({ row: String(one.row), position: wordOf(one)?.toString() ?? null }); }} own={setOwn} />
      <p class="controls">
        <label>{t("Method")} <select value={method.name} onChange={set("method")}>{made.methods.map((one) => <option value={one.name}>{one.title}</option>)}</select></label>
        {made.classes.length > 0 && method.name !== "permutation" && made.task !== "tagging" && (
          <label>{t("Explain")} <select value={target} onChange={set("target")}>
            <option value="">{t("what is predicted")}</option>{!whole && !own && <option value="true">{t("the true class")}</option>}
            {made.classes.map((name) => <option value={name}>{name}</option>)}
          </select></label>
        )}
        {method.name === "partial-dependence" && <label>{t("Column")} <select value={column} onChange={set("column")}>{made.columns.map((name) => <option value={name}>{name}</option>)}</select></label>}
      </p>
      {(row > 0 || whole || own) && <Result key={JSON.stringify([aim, own && !whole ? own.size : 0])} run={run} aim={aim} about={method.about} own={whole ? undefined : own} />}
      {row > 0 && !own && made.kind !== "graph" && <Network run={run} row={row} image={made.kind === "image"} classes={made.classes} />}
    </>
  );
}

interface ChooserProps { run: string; made: Asked; row: number; choose: (one: Example) => void; own: (blob: Blob) => void }

function Chooser({ run, made, row, choose, own }: ChooserProps): JSX.Element {
  const query = place.value.query, which = query.get("which") ?? "worst";
  const [text, setText] = useState("");
  const order = which === "worst" ? { which: "all", order: "loss" } : which === "sure" ? { which: "right", order: "sure" } : { which, order: "loss" };
  const found = useLoaded((signal) => get<{ rows: Example[]; total: number }>(ofRun(run, "predictions/examples", { ...order, count: 12 }), signal), [run, which]);
  const first = found.value?.rows[0];
  useEffect(() => { if (first && !place.value.query.get("row")) choose(first); }, [first]);
  const take = (file: File | undefined | null): void => { if (file) fitting(file).then(own, () => own(file)); };
  const rows = made.classes.length ? [["worst", t("answered worst")], ["wrong", t("wrong ones")], ["right", t("right ones")], ["sure", t("surest right ones")]] : [["worst", t("answered worst")]];
  return (
    <section class="rows" aria-label={t("Rows")}>
      <p class="controls">
        <label>{t("Rows")} <select value={which} onChange={(event) => setQuery({ which: event.currentTarget.value })}>{rows.map(([name, title]) => <option value={name}>{title}</option>)}</select></label>
        <form class="inline" onSubmit={(event) => {
          event.preventDefault();
          const number = Number(new FormData(event.currentTarget).get("row"));
          if (number > 0) setQuery({ row: String(number), position: null });
        }}>
          <label>{t("Row number")} <input name="row" type="number" min={1} step={1} class="short" defaultValue={row ? String(row) : ""} /></label> <button type="submit">{t("Show")}</button>
        </form>
        {made.takes === "image" && (
          <label class="drop" onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); take(event.dataTransfer?.files[0]); }}>
            {t("Your own image: drop it here, or")} <input type="file" accept="image/*" onChange={(event) => take(event.currentTarget.files?.[0])} />
          </label>
        )}
        {made.takes === "text" && (
          <form class="inline" onSubmit={(event) => { event.preventDefault(); if (text.trim()) own(new Blob([text], { type: "text/plain" })); }}>
            <label>{t("Your own text")} <input value={text} maxLength={20000} onInput={(event) => setText(event.currentTarget.value)} /></label> <button type="submit">{t("Show")}</button>
          </form>
        )}
      </p>
      <p class="note">{made.sealed ? t("Validation rows, and training rows by number; {n} test rows are sealed.", { n: made.sealed.toLocaleString("en") }) : t("Validation rows, and training rows by number.")}
        {made.takes && ` ${t("What you give yourself goes to the process beside this page, and is kept nowhere.")}`}</p>
      <Loaded found={found}>{(value) => value.rows.length === 0 ? <p class="note">{t("There are no such rows.")}</p> : (
        <div class="strip"><ExampleList rows={value.rows}>{(one) => (
          <button type="button" class="pick" aria-pressed={one.row === row} onClick={() => choose(one)}>
            <ShownRow shown={one.shown.kind === "cells" ? { ...one.shown, cells: one.shown.cells?.slice(0, 3) } : one.shown} label={t("row {n}", { n: one.row })} />
            <Answer one={one} /><span class="note">{t("row {n}", { n: one.row })}</span>
          </button>
        )}</ExampleList></div>
      )}</Loaded>
    </section>
  );
}

function Result(props: { run: string; aim: Record<string, string>; about: number; own?: Blob | undefined }): JSX.Element {
  const [state, setState] = useState<{ told?: Told; error?: string; seconds?: number; begun: boolean }>({ begun: props.about === 0 });
  const [stop, setStop] = useState<() => void>();
  useEffect(() => {
    if (!state.begun) return;
    const path = ofRun(props.run, props.own ? "explain/own" : "explain/row", props.aim);
    const leave = asked<Told>(path, (line) => {
      if (line.error) setState({ begun: true, error: [line.error.what, line.error.received, line.error.do].filter(Boolean).join("; ") });
      else if (line.answer) setState({ begun: true, told: { ...line.answer, took: line.took } as Told });
      else setState((before) => ({ ...before, seconds: line.seconds ?? 0 }));
    }, props.own);
    setStop(() => leave);
    return leave;
  }, [state.begun]);
  if (!state.begun) {
    return <p><button type="button" onClick={() => setState({ begun: true })}>{t("Explain: takes about {n} s", { n: props.about })}</button></p>;
  }
  if (state.error) return <p class="error" role="alert">{state.error}</p>;
  if (!state.told) {
    return (
      <p class="note" aria-busy="true" role="status">
        {props.about ? t("{n} s of about {all} s", { n: Math.round(state.seconds ?? 0), all: props.about }) : t("{n} s", { n: Math.round(state.seconds ?? 0) })}{" "}
        {(state.seconds ?? 0) > 2 && <button type="button" onClick={() => { stop?.(); setState({ begun: false }); }}>{t("Cancel")}</button>}
      </p>
    );
  }
  return <Explained run={props.run} told={state.told} />;
}

function Explained({ run, told }: { run: string; told: Told }): JSX.Element {
  const likely = told.likely ?? [];
  return (
    <section aria-label={t("Explanation")}>
      <Figure title={told.title} name="explanation"
        note={<>{told.range && t("Why {target}: {low} to {high} ({unit}).", { target: told.target ?? "", low: told.range[0], high: told.range[1], unit: told.unit ?? "" })} {told.strongest && t("Strongest: {place}.", { place: told.strongest })} {told.notes.join(" ")}</>}
        help={<p>{told.form === "map" && told.picture ? t("Vermilion speaks for the answer, blue against it. A good map lies on what the class is about, and is gone in the network of random weights beside it; a map that looks the same there shows the picture, not the network.")
          : t("Vermilion speaks for the answer, blue against it. Believe it only as far as the check below goes.")}</p>}
        {...(told.rows && told.head ? { numbers: () => ({ head: told.head!, rows: told.rows! }) } : {})}>
        {told.sentence && <p><strong>{told.sentence}</strong></p>}
        {told.constant && <p class="error" role="alert">{t("There is no map to show: {why}.", { why: told.constant })}</p>}
        {told.picture && (
          <ul class="maps">
            <li><img src={told.picture} alt={told.sentence ?? ""} /><span>{t("the row")}</span></li>
            {told.map && <li><img src={told.map} alt={t("Strongest: {place}.", { place: told.strongest ?? "" })} /><span>{t("the map over it")}</span></li>}
            {told.random && <li><img src={told.random} alt={t("a map that has learned nothing")} /><span>{t("the same of a network with random weights")}</span></li>}
          </ul>
        )}
        {told.bars && !told.constant && <Bars bars={told.bars} />}
        {told.words && !told.constant && <Words told={told} />}
        {told.svg && !told.constant && <div class="scroll"><Drawing svg={told.svg} label={told.title} /></div>}
        {likely.length > 1 && <table class="likely"><caption>{t("What the model says")}</caption><tbody>{likely.map(([name, sure]) => <tr><th scope="row">{name}</th><td>{sure}</td></tr>)}</tbody></table>}
      </Figure>
      {told.checks.length > 0 && <><h2>{t("Can it be believed?")}</h2><ul class="checks">{told.checks.map((one) => <li lang={/[\u4e00-\u9fff]/.test(one.sentence) ? "zh" : "en"}>{one.sentence}</li>)}</ul></>}
      <Script python={`import chymist as cy\n\nrun = cy.load_run("runs/${run}")\n${told.script.python}`} command={`chymist explain runs/${run} ${told.script.command}`} />
    </section>
  );
}

function Bars({ bars }: { bars: NonNullable<Told["bars"]> }): JSX.Element {
  const far = Math.max(...bars.rows.map((row) => Math.abs(row[2]))) || 1;
  return (
    <div class="scroll">
      <table class="bars">
        <thead><tr><th scope="col">{t("column")}</th><th scope="col">{t("value")}</th><th scope="col">{t("worth")}</th><td></td></tr></thead>
        <tbody>{bars.rows.map(([name, cell, value, text]) => (
          <tr><th scope="row"><bdi>{name}</bdi></th><td>{cell}</td><td>{text}</td>
            <td aria-hidden="true"><svg viewBox="-100 0 200 12"><line class="axis" x1={0} x2={0} y1={0} y2={12} />
              <rect class={value < 0 ? "against" : "for"} x={value < 0 ? 100 * value / far : 0} y={1} width={Math.max(0.8, Math.abs(100 * value / far))} height={10} /></svg></td></tr>
        ))}</tbody>
      </table>
      {bars.more > 0 && <p class="note">{t("{n} more columns count less.", { n: bars.more })}</p>}
    </div>
  );
}

function Words({ told }: { told: Told }): JSX.Element {
  return (
    <p class="worded" dir="auto">
      {told.words!.map(([word, value, background, color], k) => (
        <><ruby class={k === told.at ? "at" : ""} style={{ background, color }}>{word}<rp> (</rp><rt>{value}</rt><rp>)</rp></ruby>{" "}</>
      ))}
      {(told.more ?? 0) > 0 && t("and {n} more words", { n: told.more ?? 0 })}
    </p>
  );
}
