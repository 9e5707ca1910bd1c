// Curves of several runs, loaded, kept up to date and zoomed.
import { useEffect, useRef, useState } from "preact/hooks";
import { touched } from "./curve";
import { Curve } from "./series";
import { watch } from "./stream";

export interface Look { x: string; smooth: number; range: [number, number] | null; px?: number }
export interface Part { run: string; key: string; scale: number }
export interface Live { curves: Map<string, Curve>; version: number; errors: string[] }

export const nameOf = (run: string, key: string): string => `${run}\n${key}`;

/** Curves of some series, the same objects for as long as they are watched; `version` counts what was loaded. */
export function useCurves(parts: Part[], look: Look): Live {
  const curves = useRef(new Map<string, Curve>()), [version, setVersion] = useState(0), [errors, setErrors] = useState<string[]>([]);
  const wanted = JSON.stringify([parts, look]);
  useEffect(() => {
    const stop = new AbortController(), ends: (() => void)[] = [], whole = !look.range;
    const keep = new Set(parts.map(({ run, key }) => nameOf(run, key)));
    for (const name of curves.current.keys()) if (!keep.has(name)) curves.current.delete(name);
    setErrors([]);
    for (const { run, key, scale } of parts) {
      let end: (() => void) | undefined;
      const load = async (): Promise<void> => {
        const [from, to] = look.range ?? [];
        const asked = { x: look.x, px: look.px ?? 1200, ...(look.smooth ? { smooth: look.smooth } : {}), ...(from !== undefined ? { from, to } : {}) };
        const curve = await Curve.ask(run, key, asked as never, scale, stop.signal);
        if (stop.signal.aborted) return;
        curves.current.set(nameOf(run, key), curve);
        setVersion((n) => n + 1);
        end?.();
        if (look.x === "time") return;
        end = watch({
          run, key, id: curve.id, step: curve.step,
          points: (steps, values) => {
            const inside = whole ? steps.length : steps.filter((step) => step * scale <= to!).length;
            if (curve.append(steps.slice(0, inside), values.slice(0, inside))) touched(curve);
          },
          replaced: () => { void load(); },
        });
        ends.push(() => end?.());
      };
      load().catch((error: Error) => { if (!stop.signal.aborted) setErrors((known) => [...known, `${key}: ${error.message}`]); });
    }
    return () => { stop.abort(); ends.forEach((one) => one()); };
  }, [wanted]);
  return { curves: curves.current, version, errors };
}

/** What one curve has more than another where both have a value, as a curve that grows with them. */
export function gap(of: Curve, over: Curve): Curve {
  const made = new Curve(of.run, `${of.key} − ${over.key}`, of.scale);
  made.id = of.id;
  grow(made, of, over);
  return made;
}

export function grow(made: Curve, of: Curve, over: Curve): void {
  const there = new Map(over.x.map((x, i) => [x, over.last[i]!]));
  const at = of.x.map((_, i) => i).filter((i) => there.has(of.x[i]!) && of.x[i]! / of.scale > made.step);
  if (made.append(at.map((i) => Math.round(of.x[i]! / of.scale)), at.map((i) => of.last[i]! - there.get(of.x[i]!)!))) touched(made);
}
