// A table of any number of rows of which only those that are seen are in the document.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface VirtualProps {
  label: string;
  /** The head: a row of th. */
  head: JSX.Element;
  columns: number;
  total: number;
  /** Pixels of a row: all are equal. */
  height: number;
  /** Cells of a row; undefined while it is not there yet. */
  row: (index: number) => JSX.Element | undefined;
  /** Rows that are seen, and some around them. */
  onNeed: (start: number, count: number) => void;
  /** A key on a row that moves nowhere. */
  onKey: (event: KeyboardEvent, index: number) => void;
}

const AROUND = 6;

export function Virtual(props: VirtualProps): JSX.Element {
  const { total, height } = props;
  const box = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(0);
  const [seen, setSeen] = useState(24);
  const [at, setAt] = useState(0);
  const wanted = useRef(-1);
  useEffect(() => {
    const measure = (): void => { if (box.current) setSeen(Math.ceil(box.current.clientHeight / height) + 1); };
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, [height]);
  const start = Math.max(0, Math.min(first, Math.max(0, total - seen)) - AROUND);
  const stop = Math.min(total, start + seen + 2 * AROUND);
  useEffect(() => { props.onNeed(start, seen + 2 * AROUND); }, [start, seen]);
  useEffect(() => {
    if (wanted.current < 0) return;
    const row = box.current?.querySelector<HTMLElement>(`tr[data-at="${wanted.current}"]`);
    if (row) { row.focus(); wanted.current = -1; }
  });
  const go = (to: number): void => {
    const next = Math.max(0, Math.min(total - 1, to));
    wanted.current = next;
    setAt(next);
    const room = box.current!, head = room.querySelector("thead")!.clientHeight;
    if (next * height < room.scrollTop) room.scrollTop = next * height;
    if ((next + 1) * height + head > room.scrollTop + room.clientHeight) room.scrollTop = (next + 1) * height + head - room.clientHeight;
    setFirst(Math.floor(room.scrollTop / height));
  };
  const key = (event: KeyboardEvent, index: number): void => {
    const steps: Record<string, number> = {
      ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + seen - 2, PageUp: index - seen + 2, Home: 0, End: total - 1,
    };
    const to = steps[event.key];
    if (to === undefined || event.target !== event.currentTarget) return props.onKey(event, index);
    event.preventDefault();
    go(to);
  };
  const rows: JSX.Element[] = [];
  for (let n = start; n < stop; n++) {
    rows.push(
      <tr key={n} data-at={n} aria-rowindex={n + 2} tabIndex={n === Math.min(at, total - 1) ? 0 : -1} style={{ height: `${height}px` }}
        onKeyDown={(event) => key(event, n)} onFocus={() => setAt(n)}>
        {props.row(n) ?? <td colSpan={props.columns} aria-busy="true">…</td>}
      </tr>,
    );
  }
  return (
    <div class="virtual" ref={box} role="region" aria-label={props.label} tabIndex={0}
      onScroll={(event) => setFirst(Math.floor(event.currentTarget.scrollTop / height))}>
      <table aria-rowcount={total + 1}>
        <thead>{props.head}</thead>
        <tbody>
          {start > 0 && <tr aria-hidden="true" style={{ height: `${start * height}px` }}><td colSpan={props.columns} /></tr>}
          {rows}
          {stop < total && <tr aria-hidden="true" style={{ height: `${(total - stop) * height}px` }}><td colSpan={props.columns} /></tr>}
        </tbody>
      </table>
    </div>
  );
}
