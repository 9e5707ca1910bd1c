import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren, JSX } from "preact";
import { Refused } from "./api";
import { unheard, wire } from "./connection";
import { t } from "./words";

const PATIENCE = 2000; // milliseconds, then a page says why it waits

/**
 * What a page waits for: the value, or why there is none. Asked again when a key changes, and when the studio answers
 * again after it did not; until then the last value stays.
 */
export function useLoaded<T>(ask: (signal: AbortSignal) => Promise<T>, keys: unknown[]): { value?: T; error?: Error } {
  const [found, setFound] = useState<{ value?: T; error?: Error }>({});
  const lost = found.error && !(found.error instanceof Refused);
  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      (value) => { if (!stop.signal.aborted) setFound({ value }); },
      (error: Error) => {
        if (stop.signal.aborted) return;
        if (error instanceof Refused) { setFound({ error }); return; }
        unheard();
        setFound((last) => (last.value === undefined ? { error } : last));
      },
    );
    return () => stop.abort();
  }, [...keys, lost && wire.value]);
  return found;
}

export function Loaded<T>(props: { found: { value?: T; error?: Error }; children: (value: T) => ComponentChildren }): JSX.Element {
  const { value, error } = props.found;
  if (error) return <p class="error" role="alert">{error instanceof Refused ? error.message : t("No answer from the studio")}</p>;
  if (value === undefined) return <Waiting />;
  return <>{props.children(value)}</>;
}

function Waiting(): JSX.Element {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  return <p class="note" aria-busy="true">{t("Loading")} … {long && t("still at work; the first answer of a page that computes takes some seconds")}</p>;
}
