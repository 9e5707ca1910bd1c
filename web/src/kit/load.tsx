import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren, JSX } from "preact";
import { t } from "./words";

/** What a page waits for: the value, or why there is none. Asked again when a key changes. */
export function useLoaded<T>(ask: (signal: AbortSignal) => Promise<T>, keys: unknown[]): { value?: T; error?: Error } {
  const [found, setFound] = useState<{ value?: T; error?: Error }>({});
  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      (value) => { if (!stop.signal.aborted) setFound({ value }); },
      (error: Error) => { if (!stop.signal.aborted) setFound({ error }); },
    );
    return () => stop.abort();
  }, keys);
  return found;
}

export function Loaded<T>(props: { found: { value?: T; error?: Error }; children: (value: T) => ComponentChildren }): JSX.Element {
  const { value, error } = props.found;
  if (error) return <p class="error" role="alert">{error.message}</p>;
  if (value === undefined) return <p class="note" aria-busy="true">{t("Loading")} …</p>;
  return <>{props.children(value)}</>;
}
