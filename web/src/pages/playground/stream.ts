// The stream of one playground: lines of JSON as long as the page is open, and words to its worker.
import { post, Refused, session, type Failure } from "../../kit/api";

export interface Shown { metric: string; value: number; low: number; high: number; n: number; split: string; text: string; selected_on?: string | null }
export interface Told { code: string; level: string; claim: string; zh: string; remedy: string; remedy_zh: string }
export interface Choices { activation: string[]; optimizer: string[]; penalty: string[]; schedule: string[]; model: string[]; toy: Record<string, Record<string, number>> }
export interface Points { x: number[]; y: number[]; of: number[]; valid: number[]; rows: number }
export interface About {
  kind: "about"; n: number; data: string; task: string; classes: string[]; target: string; axes: string[]; columns: string[]; inputs: string[];
  train: number; held_out: number; model: string; loss: string; parameters: number; steps: number; steps_per_epoch: number;
  toml: string; python: string; command: string; points: Points; low: [number, number]; high: [number, number];
}
export interface Frame {
  kind: "frame"; n: number; step: number; epoch: number; paused: boolean; span: [number, number]; map: string; ranks?: string;
  units: string[][]; weights: number[][][]; losses: [number, number, number][]; epochs: [number, number, number, number | null, number | null][];
  scores: Partial<Record<"train" | "valid", [number, string, number[][]]>>;
}
export interface End {
  kind: "end"; n: number; score: Shown; trained: Shown; floors: (Shown & { name: string; zh: string })[]; verdict: string; verdict_zh: string;
  metrics: Record<string, [number, string]>; findings: Told[]; confusion: number[][]; notes: string[]; steps: number;
}
export interface Overlay { kind: "seeds"; maps: { map: string; ranks?: string }[]; scores: [number, string][]; diverged: number }
export type Message = About | Frame | End | Overlay
  | { kind: "open"; name: string } | { kind: "ready"; choices: Choices } | { kind: "finding"; n: number; finding: Told }
  | { kind: "error"; n?: number; error: Failure; besides?: boolean } | { kind: "diverged"; n: number; error: Failure }
  | { kind: "saved"; run: string } | { kind: "lost"; error: Failure };

/** Listen until the page is left; `heard` gets every message in order. */
export async function listen(heard: (message: Message) => void, signal: AbortSignal): Promise<void> {
  const { nonce } = await session();
  const answer = await fetch("/api/play", { method: "POST", headers: { "x-chymist-nonce": nonce }, signal });
  if (!answer.ok || !answer.body) {
    const { error } = await answer.json() as { error: Failure };
    throw new Refused(error, answer.status);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard(JSON.parse(line) as Message);
  }
}

export const tell = (name: string, word: Record<string, unknown>): Promise<unknown> => post(`/api/play/${name}`, word);

export const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
