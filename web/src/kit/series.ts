// A series as it is drawn: columns of first, min, max and last value, and what comes after them.
import { getBytes, ofRun } from "./api";

export const NAN = 1, PLUS = 2, MINUS = 4;

export interface Header {
  stored: number; points: number; drawn: number; last: number | null; exact: boolean; wide: boolean; odd: number;
  id: string; x: string; mean?: [number, number, number];
}

export interface Asked { from?: number; to?: number; px?: number; x?: string; smooth?: number }

/** Columns of one series of one run. No point that is appended is ever left out of them. */
export class Curve {
  x: number[] = []; first: number[] = []; min: number[] = []; max: number[] = []; last: number[] = [];
  odd: number[] = []; kinds: number[] = []; smooth: number[] = [];
  stored = 0; points = 0; exact = true; id = "";
  /** The last step that is in it, in steps. */
  step = -Infinity;
  private mean: { share: number; total: number; weight: number } | null = null;

  constructor(readonly run: string, readonly key: string, readonly scale = 1) {}

  static async ask(run: string, key: string, asked: Asked, scale: number, signal?: AbortSignal): Promise<Curve> {
    const curve = new Curve(run, key, scale);
    curve.read(await getBytes(ofRun(run, "series", { key, ...asked }), signal));
    return curve;
  }

  read(content: ArrayBuffer): void {
    const length = new DataView(content).getUint32(4, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length))) as Header;
    let at = 8 + length;
    const n = header.drawn;
    const column = (kind: "f8" | "f4" | "u4" | "u1"): number[] => {
      const size = Number(kind[1]) * n, part = content.slice(at, at + size);
      at += size;
      return Array.from(kind === "f8" ? new Float64Array(part) : kind === "f4" ? new Float32Array(part) : kind === "u4" ? new Uint32Array(part) : new Uint8Array(part));
    };
    this.x = column("f8");
    this.first = column(header.wide ? "f8" : "f4");
    [this.min, this.max, this.last] = header.exact ? [this.first.slice(), this.first.slice(), this.first.slice()]
      : [column(header.wide ? "f8" : "f4"), column(header.wide ? "f8" : "f4"), column(header.wide ? "f8" : "f4")];
    this.odd = header.odd ? column("u4") : new Array<number>(n).fill(0);
    this.kinds = header.odd ? column("u1") : new Array<number>(n).fill(0);
    if (header.exact && header.odd) for (const part of [this.first, this.min, this.max, this.last]) part.forEach((v, i) => { if (!isFinite(v)) part[i] = NaN; });
    if (header.mean) {
      const [half, total, weight] = header.mean;
      this.smooth = column("f8");
      this.mean = { share: 2 ** (-1 / half), total, weight };
    }
    this.stored = header.stored; this.points = header.points; this.exact = header.exact; this.id = header.id;
    this.step = header.last === null ? -Infinity : Math.round(header.last / this.scale);
  }

  /** Append what the stream brings; steps that are known already are passed over. Returns how many were new. */
  append(steps: number[], values: number[]): number {
    let added = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!, value = values[i]!;
      if (step <= this.step) continue;
      const kind = isNaN(value) ? NAN : value === Infinity ? PLUS : value === -Infinity ? MINUS : 0, shown = kind ? NaN : value;
      this.x.push(step * this.scale);
      this.first.push(shown); this.min.push(shown); this.max.push(shown); this.last.push(shown);
      this.odd.push(kind ? 1 : 0); this.kinds.push(kind);
      if (this.mean) {
        const m = this.mean;
        if (!kind) { m.total = m.share * m.total + (1 - m.share) * value; m.weight = m.share * m.weight + (1 - m.share); }
        this.smooth.push(m.weight ? m.total / m.weight : NaN);
      }
      this.step = step;
      added += 1;
    }
    this.stored += added; this.points += added;
    return added;
  }

  /** Join what falls into one of so many cells of the whole x, once there are twice as many columns. */
  fold(cells: number): void {
    const n = this.x.length, low = this.x[0]!, width = (this.x[n - 1]! - low) / cells;
    if (n <= 2 * cells) return;
    let j = -1, cell = NaN;
    for (let i = 0; i < n; i++) {
      const its = Math.floor((this.x[i]! - low) / width);
      if (its === cell) { this.join(j, i); continue; }
      cell = its;
      j += 1;
      for (const part of this.parts) part[j] = part[i]!;
    }
    for (const part of this.parts) part.length = j + 1;
    this.exact = false;
  }

  private join(j: number, i: number): void {
    this.first[j] = either(this.first[j]!, this.first[i]!);
    this.min[j] = least(this.min[j]!, this.min[i]!);
    this.max[j] = -least(-this.max[j]!, -this.max[i]!);
    this.last[j] = either(this.last[i]!, this.last[j]!);
    this.odd[j] = this.odd[j]! + this.odd[i]!;
    this.kinds[j] = this.kinds[j]! | this.kinds[i]!;
    if (this.mean) this.smooth[j] = this.smooth[i]!;
  }

  private get parts(): number[][] {
    const all = [this.x, this.first, this.min, this.max, this.last, this.odd, this.kinds];
    return this.mean ? [...all, this.smooth] : all;
  }

  get notFinite(): number { return this.odd.reduce((a, b) => a + b, 0); }
}

const either = (a: number, b: number): number => (isNaN(a) ? b : a);
const least = (a: number, b: number): number => (isNaN(a) ? b : isNaN(b) ? a : Math.min(a, b));
