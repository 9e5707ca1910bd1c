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
    for (const part of parts) {
      const line = part ? JSON.parse(part) as { answer?: Line<T>; error?: Failure } : {};
      if (line.error) said({ error: line.error });
      else if (line.answer) said(line.answer);
    }
  }
}

const LARGEST = 900_000, SIDE = 1024; // bytes that the server takes, and pixels that are enough for every model here

/** A large photo, made smaller by the browser before it is sent. */
export async function fitting(file: Blob): Promise<Blob> {
  if (file.size <= LARGEST) return file;
  const picture = await createImageBitmap(file), share = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * share), height: Math.round(picture.height * share) });
  canvas.getContext("2d")!.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((made) => (made ? done(made) : failed(new Error("no image"))), "image/jpeg", 0.92));
}
