// What a reader has chosen: in the address, in the request, in the recipe. Names are those of the registry.
import { csv } from "../../kit/figure";

/** A point that was drawn: two places and the number of its class. */
export type Point = [x: number, y: number, of: number];

export interface Choice {
  data: string; rows: number; noise: number; dataSeed: number; classes: number;
  x: string; y: string; only: boolean; plane: string; valid: number; target: string;
  model: string; hidden: string; activation: string; optimizer: string; rate: number; schedule: string;
  penalty: string; strength: number; batch: number; epochs: number; seed: number; speed: number;
}

export const FIRST: Choice = {
  data: "xor", rows: 200, noise: 0, dataSeed: 0, classes: 2, x: "", y: "", only: true, plane: "columns", valid: 30, target: "",
  model: "mlp", hidden: "4", activation: "tanh", optimizer: "adam", rate: 0.03, schedule: "constant",
  penalty: "none", strength: 0.001, batch: 10, epochs: 60, seed: 0, speed: 10,
};
export const NAMED = ["iris", "wine", "breast_cancer", "diabetes", "digits"];
export const SOLVED: Record<string, string> = {
  gaussian: "direct", svm: "direct", svr: "direct", cart: "direct", random_forest: "direct", boosting: "direct",
};
const MOST_SHARED = 150; // points that an address holds

export function toQuery(choice: Choice, points: Point[]): Record<string, string | null> {
  const query: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(choice)) {
    query[name] = value === FIRST[name as keyof Choice] ? null : String(value);
  }
  const kept = choice.data === "points" && points.length <= MOST_SHARED;
  query.points = kept && points.length ? points.map((point) => point.map((v) => Math.round(v * 100)).join(".")).join("_") : null;
  return query;
}

export function fromQuery(query: URLSearchParams): { choice: Choice; points: Point[] } {
  const made: Record<string, string | number | boolean> = { ...FIRST };
  for (const [name, initial] of Object.entries(FIRST)) {
    const given = query.get(name);
    if (given === null) continue;
    if (typeof initial === "number") { if (isFinite(Number(given))) made[name] = Number(given); }
    else made[name] = typeof initial === "boolean" ? given === "true" : given.slice(0, 100);
  }
  const points = (query.get("points") ?? "").split("_").map((text) => text.split(".").map((v) => Number(v) / 100))
    .filter((one): one is Point => one.length === 3 && one.every(isFinite)).map(([x, y, of]): Point => [x, y, Math.round(of * 100)]);
  return { choice: made as unknown as Choice, points: points.slice(0, MOST_SHARED) };
}

export interface Upload { name: string; text: string }
export const LETTERS = ["A", "B", "C", "D"];

/** The rows as the worker asks for them. */
export function rowsOf(choice: Choice, points: Point[], upload?: Upload): Record<string, unknown> {
  if (choice.data === "points") return { csv: pointsCsv(points), name: "points", target: "class", numbers: ["x1", "x2"] };
  if (choice.data === "csv") return { csv: upload?.text ?? "", name: upload?.name ?? "", target: choice.target };
  if (choice.data.startsWith("run:")) return { run: choice.data.slice(4) };
  if (NAMED.includes(choice.data)) return { source: choice.data };
  const classes = choice.data === "gaussians" ? `, classes=${choice.classes}` : "";
  return { source: `${choice.data}(rows=${choice.rows}, noise=${choice.noise}${classes}, seed=${choice.dataSeed})` };
}

export const pointsCsv = (points: Point[]): string =>
  csv({ head: ["x1", "x2", "class"], rows: points.map(([x, y, of]) => [x.toFixed(3), y.toFixed(3), LETTERS[of] ?? "A"]) });

/** The recipe in the form that its TOML file has. */
export function recipeOf(choice: Choice): Record<string, unknown> {
  const solver = SOLVED[choice.model];
  const units = choice.hidden.split(",").map((v) => Number(v.trim())).filter((v) => v > 0);
  const model = choice.model === "mlp" ? { name: "mlp", hidden: units, activation: choice.activation } : { name: choice.model };
  if (solver) return { model, optimizer: { name: solver } };
  const penalty = choice.penalty === "none" ? { name: "none" }
    : choice.penalty === "elastic" ? { name: "elastic", l1: choice.strength, l2: choice.strength }
    : { name: choice.penalty, strength: choice.strength };
  return {
    model, optimizer: { name: choice.optimizer, lr: choice.rate }, schedule: { name: choice.schedule }, penalty,
    batch_size: choice.batch, length: `${choice.epochs} epochs`, stop: { name: "none" },
  };
}

export const wishOf = (choice: Choice, points: Point[], upload: Upload | undefined, n: number, paused: boolean): Record<string, unknown> => ({
  do: "start", n, data: rowsOf(choice, points, upload), recipe: recipeOf(choice), axes: choice.x && choice.y ? [choice.x, choice.y] : [],
  only: choice.only, plane: choice.plane === "pca" ? "pca" : "columns", valid: choice.valid / 100, seed: choice.seed, speed: choice.speed, paused,
});
