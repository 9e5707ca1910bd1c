// Requests to the server that gave this page; nothing else is ever asked.

export interface Failure { code: string; what: string; where: string; received: string; do: string }

export class Refused extends Error {
  constructor(readonly failure: Failure, readonly status: number) {
    super([failure.what, failure.received && `got ${failure.received}`, failure.do].filter(Boolean).join("; "));
  }
}

declare global { interface Window { __ahead?: Map<string, Promise<Response>> } }

/** An answer that `first.ts` asked for before this module was there, once; else it is asked for now. */
export function asked(path: string, signal?: AbortSignal): Promise<Response> {
  const early = window.__ahead?.get(path);
  window.__ahead?.delete(path);
  return early ?? fetch(path, { signal: signal ?? null });
}

export interface Session { nonce: string; version: string }
let known: Promise<Session> | undefined;
export const session = (): Promise<Session> => (known ??= get<Session>("/api/session"));

/** Address of a run's part of the API. */
export const ofRun = (run: string, part = "", query: Record<string, string | number | undefined> = {}): string => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined).map(([k, v]) => [k, String(v)]);
  const text = new URLSearchParams(given as string[][]).toString();
  return `/api/runs/${encodeURIComponent(run)}${part && `/${part}`}${text && `?${text}`}`;
};

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await checked(await asked(path, signal))).json() as Promise<T>;
}

export async function getBytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await checked(await fetch(path, { signal: signal ?? null }))).arrayBuffer();
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const { nonce } = await session();
  const answer = await fetch(path, {
    method: "POST", body: JSON.stringify(body), signal: signal ?? null,
    headers: { "content-type": "application/json", "x-chymist-nonce": nonce },
  });
  return (await checked(answer)).json() as Promise<T>;
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const text = await answer.text();
  let failure: Failure = { code: "refused", what: text.slice(0, 200) || answer.statusText, where: "", received: "", do: "" };
  try { failure = JSON.parse(text).error ?? failure; } catch { /* no JSON: the text is what there is */ }
  throw new Refused(failure, answer.status);
}

/** Numbers of a JSON answer: what JSON has no sign for comes as a text. */
export const num = (value: number | string | null | undefined): number => Number(value ?? NaN);
