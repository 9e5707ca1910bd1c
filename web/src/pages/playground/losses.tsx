// The loss of a playground, small: every step as a band, epochs as lines.
import type { JSX } from "preact";
import { t } from "../../kit/words";

export interface History { steps: [number, number, number][]; epochs: [number, number, number, number | null, number | null][] }

const WIDE = 420, HIGH = 150, LEFT = 40, BELOW = 22;

export function Losses({ history, total }: { history: History; total: number }): JSX.Element {
  const { steps, epochs } = history;
  const lines: [string, string, [number, number][]][] = [
    ["s1", t("training"), epochs.map(([, step, train]) => [step, train])],
    ["s2", t("validation"), epochs.flatMap(([, step, , valid]) => valid === null || valid === undefined ? [] : [[step, valid] as [number, number]])],
  ];
  const finite = [...lines.flatMap(([, , points]) => points.map(([, v]) => Number(v))), ...(epochs.length > 1 ? [] : steps.map(([, , v]) => Number(v)))].filter(isFinite);
  const most = Math.max(...finite, 1e-6), x = (step: number): number => LEFT + (WIDE - LEFT - 8) * step / Math.max(total, 1);
  const y = (v: number): number => HIGH - BELOW - (HIGH - BELOW - 10) * Math.max(0, Math.min(1, v / most));
  const band = steps.filter(([, a, b]) => isFinite(Number(a)) && isFinite(Number(b))).map(([step, low, high]) => `M${x(step).toFixed(1)} ${y(low).toFixed(1)}V${(y(high) - .5).toFixed(1)}`).join("");
  return (
    <svg class="losses" viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={t("Loss by step")}>
      <line class="axis" x1={LEFT} y1={HIGH - BELOW} x2={WIDE - 8} y2={HIGH - BELOW} />
      <text x={LEFT - 4} y={14} text-anchor="end">{most.toPrecision(2)}</text>
      <text x={LEFT - 4} y={HIGH - BELOW} text-anchor="end">0</text>
      <text x={WIDE - 8} y={HIGH - 5} text-anchor="end">{t("{n} steps", { n: total })}</text>
      {band && <path d={band} class="band" fill="none" />}
      {lines.map(([kind, name, points]) => points.length > 0 && (
        <>
          <polyline class={kind} fill="none" stroke-width="2" stroke-dasharray={kind === "s2" ? "5 3" : undefined} points={points.map(([step, v]) => `${x(step).toFixed(1)},${y(Number(v)).toFixed(1)}`).join(" ")} />
          <text class={`name ${kind}`} x={WIDE - 10} y={kind === "s1" ? 14 : 29} text-anchor="end">{kind === "s1" ? "── " : "- - "}{name}</text>
        </>
      ))}
    </svg>
  );
}
