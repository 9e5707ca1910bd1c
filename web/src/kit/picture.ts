// A chart as a file: an SVG with its colours written into it, or a PNG of twice the size.
import { save } from "./figure";

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family",
  "font-size", "font-weight", "text-anchor", "dominant-baseline", "stroke-linejoin", "visibility", "display"];

/** A copy of a drawing that needs no style sheet. */
function alone(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((node, at) => {
    const looks = getComputedStyle(node), other = to[at]!;
    other.removeAttribute("style");
    for (const name of KEPT) { const value = looks.getPropertyValue(name); if (value) other.setAttribute(name, value); }
  });
  const { width, height } = svg.getBoundingClientRect(), box = svg.viewBox.baseVal;
  if (!box?.width) copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const { x = 0, y = 0, width: wide = width, height: high = height } = box?.width ? box : {};
  for (const [name, value] of Object.entries({ x, y, width: wide, height: high, fill: background() })) ground.setAttribute(name, String(value));
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

const background = (): string => getComputedStyle(document.documentElement).getPropertyValue("--bg").trim();

/** What can be saved of a figure: its first drawing, else its first canvas. */
export const found = (figure: Element): SVGSVGElement | HTMLCanvasElement | null =>
  figure.querySelector<SVGSVGElement>("svg:not(.icon)") ?? figure.querySelector("canvas");

export function saveSvg(figure: Element, name: string): void {
  const drawn = found(figure);
  if (drawn instanceof SVGSVGElement) save(`${name}.svg`, alone(drawn), "image/svg+xml");
}

export async function savePng(figure: Element, name: string): Promise<void> {
  const drawn = found(figure);
  if (!drawn) return;
  const source: CanvasImageSource = drawn instanceof SVGSVGElement ? await pictured(alone(drawn)) : drawn;
  const { width, height } = drawn.getBoundingClientRect();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = background();
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((made) => { if (made) save(`${name}.png`, made, "image/png"); });
}

async function pictured(svg: string): Promise<HTMLImageElement> {
  const picture = new Image(), address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    picture.src = address;
    await picture.decode();
    return picture;
  } finally { URL.revokeObjectURL(address); }
}
