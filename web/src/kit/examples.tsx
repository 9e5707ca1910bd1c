// Rows of a run as they are: a picture, words, cells, lines.
import type { ComponentChildren, JSX } from "preact";
import { t } from "./words";

export interface RowShown {
  kind: "image" | "cells" | "text" | "words" | "series";
  src?: string; cells?: [string, string][]; more?: number; text?: string; cut?: boolean;
  words?: string[]; at?: number | null; before?: number; lines?: (number | string)[][]; steps?: number;
}
export interface Example {
  row: number; step?: number; true?: string; said?: string; right: boolean; sure: string; loss: string; shown: RowShown;
}

/** A name that can be seen: one of blanks, as of characters, in quotes. */
export const visible = (name: string): string => (name.trim() ? name : JSON.stringify(name));

/** A name between others: one that runs from right to left turns only itself, not the numbers behind it. */
const inside = (name: string): string => (/[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufefc]/.test(name) ? `\u2068${name}\u2069` : visible(name));

/** Number of the word that was answered, from 0; nothing where rows have one answer. */
export const wordOf = ({ shown }: Example): number | undefined =>
  shown.at === null || shown.at === undefined ? undefined : shown.at + (shown.before ?? 0);

export function ShownRow({ shown, label }: { shown: RowShown; label: string }): JSX.Element {
  if (shown.kind === "image") return <img src={shown.src} alt={label} class="row-picture" />;
  if (shown.kind === "text") return <p class="row-text" dir="auto">{shown.text}{shown.cut && " …"}</p>;
  if (shown.kind === "words") {
    return (
      <p class="row-text" dir="auto">
        {(shown.before ?? 0) > 0 && "… "}
        {shown.words?.map((word, place) => place === shown.at ? <><mark>{word}</mark> </> : `${word} `)}
      </p>
    );
  }
  if (shown.kind === "series") return <Series lines={shown.lines ?? []} label={label} />;
  const cells = shown.cells ?? [], more = shown.more ?? 0;
  return (
    <div class="row-cells">
      <Cells cells={cells.slice(0, FIRST)} />
      {cells.length > FIRST && <details><summary>{t("{n} more columns", { n: cells.length - FIRST + more })}</summary><Cells cells={cells.slice(FIRST)} /></details>}
    </div>
  );
}

const FIRST = 6;

const Cells = ({ cells }: { cells: [string, string][] }): JSX.Element => (
  <table><tbody>{cells.map(([name, value]) => <tr><th scope="row">{name}</th><td>{value}</td></tr>)}</tbody></table>
);

function Series({ lines, label }: { lines: (number | string)[][]; label: string }): JSX.Element {
  const values = lines.flat().map(Number).filter(isFinite);
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  return (
    <svg viewBox="0 0 200 60" class="row-series" role="img" aria-label={label}>
      {lines.map((line, k) => (
        <polyline class={`s${k % 3 + 1}`} fill="none" points={line.map(Number).map((v, i) => isFinite(v)
          ? `${(200 * i / Math.max(1, line.length - 1)).toFixed(1)},${(58 - 56 * (v - low) / span).toFixed(1)}` : "").join(" ")} />
      ))}
    </svg>
  );
}

/** What is true, what was said and how sure: the same words everywhere. */
export function Answer({ one }: { one: Example }): JSX.Element {
  return (
    <>
      {one.true !== undefined && <span>{t("true {name}", { name: inside(one.true) })}</span>}
      <span class={one.right ? "" : "wrong"}>
        {one.right ? "" : "✗ "}
        {one.said === undefined ? t("{p} for the right one", { p: one.sure }) : <>{t("said {name}", { name: inside(one.said) })}{one.sure && `, ${one.sure}`}</>}
      </span>
      <span class="note">{one.sure ? t("loss {n}", { n: one.loss }) : t("error {n}", { n: one.loss })}</span>
    </>
  );
}

export function ExampleList({ rows, children }: { rows: Example[]; children: (one: Example) => ComponentChildren }): JSX.Element {
  const wide = rows[0] && rows[0].shown.kind !== "image" && rows[0].shown.kind !== "series";
  return <ul class={wide ? "examples wide" : "examples"}>{rows.map((one) => <li key={`${one.row}-${one.step ?? 0}`}>{children(one)}</li>)}</ul>;
}
