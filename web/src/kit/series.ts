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

  /** Join neighbouring columns until there are at most so many. */
  fold(most: number): void {
    while (this.x.length > most) {
      const n = this.x.length, half = Math.ceil(n / 2);
      for (let i = 0, j = 0; j < half; i += 2, j++) {
        const k = Math.min(i + 1, n - 1);
        this.x[j] = this.x[i]!;
        this.first[j] = either(this.first[i]!, this.first[k]!);
        this.min[j] = least(this.min[i]!, this.min[k]!);
        this.max[j] = -least(-this.max[i]!, -this.max[k]!);
        this.last[j] = either(this.last[k]!, this.last[i]!);
        this.odd[j] = this.odd[i]! + (k > i ? this.odd[k]! : 0);
        this.kinds[j] = this.kinds[i]! | this.kinds[k]!;
        if (this.mean) this.smooth[j] = this.smooth[k]!;
      }
      for (const part of [this.x, this.first, this.min, this.max, this.last, this.odd, this.kinds]) part.length = half;
      if (this.mean) this.smooth.length = half;
      this.exact = false;
    }
  }

  get notFinite(): number { return this.odd.reduce((a, b) => a + b, 0); }
}

const either = (a: number, b: number): number => (isNaN(a) ? b : a);
const least = (a: number, b: number): number => (isNaN(a) ? b : isNaN(b) ? a : Math.min(a, b));
