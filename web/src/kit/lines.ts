// Answers that come line by line: progress first, the answer last.
import { Refused, session, type Failure } from "./api";

export interface Line<T> { seconds?: number; answer?: T; took?: number; error?: Failure }

const GRACE = 2500; // what is nearly done is waited for: to end it costs the worker its memory

/** Ask, and call back for every line; leaving ends the work, unless it is over soon. */
export function asked<T>(path: string, said: (line: Line<T>) => void, body?: Blob): () => void {
  const stop = new AbortController();
  let left = false;
  read(path, stop.signal, (line: Line<T>) => { if (!left) said(line); }, body).catch((error: Error) => {
    if (left) return;
    said({ error: error instanceof Refused ? error.failure : { code: "", what: error.message, where: "", received: "", do: "" } });
  });
  return () => { left = true; setTimeout(() => stop.abort(), GRACE); };
}

async function read<T>(path: string, signal: AbortSignal, said: (line: Line<T>) => void, body?: Blob): Promise<void> {
  const init: RequestInit = { signal };
  if (body) Object.assign(init, { method: "POST", body, headers: { "content-type": body.type || "application/octet-stream", "x-chymist-nonce": (await session()).nonce } });
  const answer = await fetch(path, init);
  if (!answer.ok || !answer.body) {
    const text = await answer.text();
    let failure: Failure = { code: "refused", what: text.slice(0, 200) || answer.statusText, where: "", received: "", do: "" };
    try { failure = JSON.parse(text).error ?? failure; } catch { /* no JSON: the text is what there is */ }
    throw new Refused(failure, answer.status);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part) said(JSON.parse(part) as Line<T>);
  }
}
