// Every chart stands in a figure: a sentence, counts, what one looks at, its numbers as a table.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
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
  /** Name of the CSV file. */
  name: string;
  children: ComponentChildren;
}

const MOST_ROWS = 200;

export function Figure(props: FigureProps): JSX.Element {
  const [numbers, setNumbers] = useState<Numbers>();
  const open = async (event: Event): Promise<void> => {
    if ((event.currentTarget as HTMLDetailsElement).open && props.numbers) setNumbers(await props.numbers());
  };
  return (
    <figure class="figure" aria-label={props.title}>
      <figcaption>{props.title}</figcaption>
      {props.children}
      {props.note && <p class="note">{props.note}</p>}
      {props.help && <details><summary>{t("What am I looking at?")}</summary>{props.help}</details>}
      {props.numbers && (
        <details onToggle={open}>
          <summary>{t("Numbers")}</summary>
          {numbers && <Table numbers={numbers} name={props.name} />}
        </details>
      )}
    </figure>
  );
}

export function Table({ numbers, name }: { numbers: Numbers; name: string }): JSX.Element {
  const shown = numbers.rows.slice(0, MOST_ROWS);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={name}>
      <button type="button" onClick={() => save(`${name}.csv`, csv(numbers), "text/csv")}>{t("Save as CSV")}</button>
      <table>
        <thead><tr>{numbers.head.map((cell) => <th scope="col">{cell}</th>)}</tr></thead>
        <tbody>{shown.map((row) => <tr>{row.map((cell) => <td>{cell}</td>)}</tr>)}</tbody>
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
