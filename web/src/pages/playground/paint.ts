// Colours of the plane: blue to orange through a neutral middle, in both themes; more classes by hue.
import { bytes } from "./stream";

type Rgb = [number, number, number];
const LIGHT: Rgb[] = [[92, 158, 210], [160, 200, 228], [248, 247, 242], [246, 202, 160], [236, 150, 84]];
const DARK: Rgb[] = [[38, 108, 160], [34, 72, 102], [30, 30, 28], [98, 64, 34], [168, 92, 30]];
const KINDS: Rgb[] = [[0, 114, 178], [213, 94, 0], [0, 120, 90], [155, 79, 150], [122, 100, 0], [179, 53, 91], [74, 111, 212], [95, 107, 109], [20, 150, 170], [150, 110, 70]];

export const isDark = (): boolean => getComputedStyle(document.documentElement).colorScheme.includes("dark");
export const colourOf = (kind: number): string => `rgb(${KINDS[kind % KINDS.length]!.join(" ")})`;

const between = (scale: Rgb[], at: number): Rgb => {
  const place = Math.max(0, Math.min(1, at)) * (scale.length - 1), low = Math.min(Math.floor(place), scale.length - 2), part = place - low;
  return scale[low]!.map((v, channel) => v + part * (scale[low + 1]![channel]! - v)) as Rgb;
};

/** A colour for 0 (blue) to 1 (orange), as the plane has it. */
export const diverging = (at: number, dark: boolean): string => `rgb(${between(dark ? DARK : LIGHT, at).map(Math.round).join(" ")})`;

/** The picture of a map whose first row is the lowest. */
export function picture(map: string, ranks: string | undefined, dark: boolean): ImageData {
  const values = bytes(map), kinds = ranks ? bytes(ranks) : undefined, side = Math.round(Math.sqrt(values.length));
  const made = new ImageData(side, side), scale = dark ? DARK : LIGHT, ground = scale[2]!;
  for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
    const from = row * side + column, to = 4 * ((side - 1 - row) * side + column), value = values[from]! / 255;
    const colour = kinds ? KINDS[kinds[from]! % KINDS.length]!.map((v, c) => ground[c]! + 0.7 * value * (v - ground[c]!)) : between(scale, value);
    made.data.set([colour[0]!, colour[1]!, colour[2]!, 255], to);
  }
  return made;
}

/** Pieces of the line where a map crosses a level, in units of the map, from its lowest corner (marching squares). */
export function contour(values: Uint8Array, level = 127.5): [number, number, number, number][] {
  const side = Math.round(Math.sqrt(values.length)), found: [number, number, number, number][] = [];
  const v = (x: number, y: number): number => values[y * side + x]!;
  for (let y = 0; y + 1 < side; y++) for (let x = 0; x + 1 < side; x++) {
    const corners = [v(x, y), v(x + 1, y), v(x + 1, y + 1), v(x, y + 1)], at = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
    const crossed: [number, number][] = [];
    for (let edge = 0; edge < 4; edge++) {
      const a = corners[edge]!, b = corners[(edge + 1) % 4]!, from = at[edge]!, to = at[(edge + 1) % 4]!;
      if ((a < level) === (b < level)) continue;
      const part = (level - a) / (b - a);
      crossed.push([from[0]! + part * (to[0]! - from[0]!), from[1]! + part * (to[1]! - from[1]!)]);
    }
    for (let pair = 0; pair + 1 < crossed.length; pair += 2) found.push([...crossed[pair]!, ...crossed[pair + 1]!]);
  }
  return found;
}

/** Where the class changes from point to point, for more than two classes. */
export function borders(ranks: Uint8Array): [number, number, number, number][] {
  const side = Math.round(Math.sqrt(ranks.length)), found: [number, number, number, number][] = [];
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const here = ranks[y * side + x];
    if (x + 1 < side && ranks[y * side + x + 1] !== here) found.push([x + .5, y - .5, x + .5, y + .5]);
    if (y + 1 < side && ranks[(y + 1) * side + x] !== here) found.push([x - .5, y + .5, x + .5, y + .5]);
  }
  return found;
}

export const boundaryOf = (one: { map: string; ranks?: string }): [number, number, number, number][] =>
  one.ranks ? borders(bytes(one.ranks)) : contour(bytes(one.map));
