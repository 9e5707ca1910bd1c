// Every chart stands in a figure: a sentence, counts, what one looks at, its numbers as a table.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { announce } from "./announce";
import { count } from "./format";
import { place } from "./route";
import { t } from "./words";

export interface Numbers { head: string[]; rows: (string | number)[][] }

export interface FigureProps {
  /** A sentence: what the chart shows. */
  title: string;
  /** Stored and drawn points, threshold, n, interval, smoothing, split: what the chart assumes. */
  note?: ComponentChildren;
  /** "What am I looking at?", with a good and a bad example in words. */
  help?: ComponentChildren;
  /** The table twin; asked for when it is opened. */
  numbers?: () => Numbers | Promise<Numbers>;
  /** How many points are stored, and how many of them are drawn. */
  points?: { stored: number; drawn: number };
  /** Name of its files and of its link. */
  name: string;
  children: ComponentChildren;
}

const MOST_ROWS = 200;

export function Figure(props: FigureProps): JSX.Element {
  const box = useRef<HTMLElement>(null), title = useId(), more = useId();
  const [open, setOpen] = useState<"" | "help" | "numbers">("");
  const [numbers, setNumbers] = useState<Numbers>();
  const wanted = place.value.query.get("figure") === props.name;
  const [drawable, setDrawable] = useState<"" | "svg" | "canvas">("");
  useEffect(() => {
    const look = (): void => setDrawable(box.current?.querySelector("svg") ? "svg" : box.current?.querySelector("canvas") ? "canvas" : "");
    look();
    const watch = new MutationObserver(look);
    if (box.current) watch.observe(box.current, { childList: true, subtree: true });
    return () => watch.disconnect();
  }, []);
  useEffect(() => { if (wanted) box.current?.scrollIntoView({ block: "center" }); }, [wanted]);
  const ask = async (): Promise<Numbers | undefined> => {
    const found = await props.numbers?.();
    setNumbers(found);
    return found;
  };
  const turn = (to: "help" | "numbers"): void => {
    setOpen(open === to ? "" : to);
    if (to === "numbers" && open !== to) void ask().catch(failed);
  };
  const failed = (error: unknown): void => announce(error instanceof Error ? error.message : String(error));
  const file = async (kind: "Svg" | "Png"): Promise<void> => {
    const files = await import("./picture");
    if (box.current) await files[`save${kind}`](box.current, props.name);
  };
  const button = (says: string, does: () => unknown, label?: string): JSX.Element =>
    <button type="button" class="quiet" aria-label={label} onClick={() => { void Promise.resolve(does()).catch(failed); }}>{says}</button>;
  const panel = (to: "help" | "numbers", says: string): JSX.Element =>
    <button type="button" class="quiet" aria-expanded={open === to} aria-controls={more} onClick={() => turn(to)}>{says}</button>;
  return (
    <figure class={wanted ? "figure there" : "figure"} aria-labelledby={title} ref={box}>
      <figcaption id={title}>{props.title}</figcaption>
      {props.children}
      {(props.note || props.points) && <p class="note">{props.points && `${drawn(props.points)}${props.note ? " · " : ""}`}{props.note}</p>}
      <div class="tools">
        {props.help && panel("help", t("What am I looking at?"))}
        {props.numbers && panel("numbers", t("Numbers"))}
        {props.numbers && button("CSV", async () => { const all = await ask(); if (all) save(`${props.name}.csv`, csv(all), "text/csv"); }, t("Save as CSV"))}
        {drawable === "svg" && button("SVG", () => file("Svg"), t("Save as SVG"))}
        {drawable && button("PNG", () => file("Png"), t("Save as PNG"))}
        {button(t("Link"), () => copied(props.name), t("Copy a link to this chart"))}
      </div>
      <div id={more} class={open ? "more" : ""}>
        {open === "help" && props.help}
        {open === "numbers" && (numbers ? <Table numbers={numbers} name={props.name} /> : <p class="note" aria-busy="true">{t("Loading")} …</p>)}
      </div>
    </figure>
  );
}

const drawn = ({ stored, drawn: shown }: { stored: number; drawn: number }): string =>
  stored === shown ? t("all {n} points drawn", { n: count(stored) }) : t("{n} points stored, {shown} drawn", { n: count(stored), shown: count(shown) });

async function copied(name: string): Promise<void> {
  const [path = "", query = ""] = location.href.split("#")[1]?.split("?") ?? [];
  const wanted = new URLSearchParams(query);
  wanted.set("figure", name);
  await navigator.clipboard.writeText(`${location.origin}/#${path}?${wanted}`);
  announce(t("Copied"));
}

export function Table({ numbers, name }: { numbers: Numbers; name: string }): JSX.Element {
  const shown = numbers.rows.slice(0, MOST_ROWS);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={name}>
      <table>
        <thead><tr>{numbers.head.map((cell) => <th scope="col">{cell}</th>)}</tr></thead>
        <tbody>{shown.map((row) => <tr>{row.map((cell) => <td class={typeof cell === "number" ? "n" : undefined}>{cell}</td>)}</tr>)}</tbody>
      </table>
      {shown.length < numbers.rows.length && <p class="note">{t("{n} of {all} rows", { n: shown.length, all: numbers.rows.length })}</p>}
    </div>
  );
}

/** A cell that a spreadsheet would read as a formula is kept a text. */
export const csv = ({ head, rows }: Numbers): string =>
  [head, ...rows].map((row) => row.map((cell) => {
    const text = typeof cell === "string" && /^[=+\-@\t\r]/.test(cell) && isNaN(Number(cell)) ? `'${cell}` : String(cell);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",")).join("\r\n");

export function save(name: string, content: BlobPart, type: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const anchor = Object.assign(document.createElement("a"), { href: address, download: name });
  anchor.click();
  URL.revokeObjectURL(address);
}
