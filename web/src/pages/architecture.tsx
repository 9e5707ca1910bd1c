// The model as a graph: what flows from layer to layer, and each node's numbers.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { announce } from "../kit/announce";
import { get, ofRun } from "../kit/api";
import { Figure, type Numbers } from "../kit/figure";
import { count } from "../kit/format";
import { Loaded, useLoaded } from "../kit/load";
import { RUN_PAGES, type PageProps } from "../kit/pages";
import { link, place, setQuery } from "../kit/route";
import { Script } from "../kit/script";
import { Drawing } from "../kit/svg";
import { lang, t } from "../kit/words";

interface Node {
  at: number; name: string; kind: string; detail: string; family: string; inputs: [number, number[]][]; output: number[];
  parameters: number; shared: number; ties: string[]; multiply_adds: number; memory: number; receptive_field: number[] | string | null; inside: number;
}
interface Picture {
  name: string; total: string; parameters: number; multiply_adds: number; memory: number; depths: number[]; svg: string;
  nodes: Node[]; notes: string[]; unused: [string, number][]; shared: string[]; script: { python: string; command: string };
}
type Measure = "parameters" | "multiply_adds" | "memory";

const shape = (sizes: number[]): string => sizes.join(" × ") || t("a number");
const sees = (field: Node["receptive_field"]): string => (Array.isArray(field) ? field.join(" × ") : field === "all" ? t("all of the input") : "");

export default function Architecture({ run }: PageProps): JSX.Element {
  const depth = place.value.query.get("depth") ?? "";
  const found = useLoaded((signal) => get<Picture>(ofRun(run, "architecture", { depth: depth || undefined, lang: lang.value }), signal), [run, depth, lang.value]);
  return (
    <>
      <h1>{t("What flows through the model")}</h1>
      <Loaded found={found}>{(told) => <Told run={run} told={told} depth={depth} />}</Loaded>
    </>
  );
}

function Told({ run, told, depth }: { run: string; told: Picture; depth: string }): JSX.Element {
  const chosen = told.nodes[Number(place.value.query.get("node") ?? NaN)];
  const measure = (place.value.query.get("by") ?? "") as Measure | "";
  const choose = (at: number | null): void => setQuery({ node: at === null ? null : String(at) });
  return (
    <>
      <dl class="totals">
        <div><dt>{t("parameters")}</dt><dd>{count(told.parameters)}</dd></div>
        <div><dt>{t("multiply-adds for one row")}</dt><dd>{count(told.multiply_adds)}</dd></div>
        <div><dt>{t("outputs of layers, bytes for one row")}</dt><dd>{count(told.memory)}</dd></div>
        {told.shared.length > 0 && <div><dt>{t("shared weights")}</dt><dd>{told.shared.join(", ")}</dd></div>}
      </dl>
      {told.notes.map((note) => <p class="caution">{note}</p>)}
      <div class="toolbar">
        <label>{t("Open modules")}{" "}
          <select value={depth} onChange={(event) => setQuery({ depth: event.currentTarget.value || null, node: null })}>
            <option value="">{t("as far as fits")}</option>
            {told.depths.map((nodes, at) => at > 0 && <option value={String(at)}>{at === told.depths.length - 1 ? t("all ({n} nodes)", { n: nodes }) : t("to depth {n} ({nodes} nodes)", { n: at, nodes })}</option>)}
          </select>
        </label>
        <label>{t("Colour by")}{" "}
          <select value={measure} onChange={(event) => setQuery({ by: event.currentTarget.value || null })}>
            <option value="">{t("kind of layer")}</option>
            <option value="parameters">{t("parameters")}</option>
            <option value="multiply_adds">{t("multiply-adds for one row")}</option>
            <option value="memory">{t("bytes of its output")}</option>
          </select>
        </label>
      </div>
      <div class="flow">
        <Figure title={told.total} name="architecture" numbers={() => table(told.nodes)}
          note={measure ? t("The fuller the colour, the larger the share of the largest; the numbers stand in the boxes and in the table.") : undefined}
          help={<p>{t("Values flow from top to bottom. A box is a layer with the norms and activations that follow it; beside a line stands the shape of what flows, and what one place of it sees of the input. A letter marks weights that are used more than once: they count once.")}</p>}>
          <Canvas told={told} chosen={chosen} measure={measure} choose={choose} />
        </Figure>
        <aside aria-label={t("The chosen node")} aria-live="polite">
          {chosen ? <Details run={run} node={chosen} all={told.nodes} choose={choose} />
            : <p class="empty">{t("Choose a box for its numbers: click it, or reach the picture with Tab and move with the up and down arrow keys.")}</p>}
        </aside>
      </div>
      {told.unused.length > 0 && <p class="note">{t("Not used: {names}", { names: told.unused.map(([name, n]) => `${name} (${count(n)})`).join(", ") })}</p>}
      <Script python={told.script.python} command={told.script.command} />
    </>
  );
}

/** The drawing, larger or smaller, moved by dragging or scrolling; its boxes are a list for the keyboard. */
function Canvas({ told, chosen, measure, choose }: { told: Picture; chosen: Node | undefined; measure: Measure | ""; choose: (at: number | null) => void }): JSX.Element {
  const [scale, setScale] = useState(1);
  const view = useRef<HTMLDivElement>(null), drawn = useRef<SVGSVGElement>(null), from = useRef<{ x: number; y: number; left: number; top: number } | null>(null);
  const boxes = (): SVGGElement[] => [...(drawn.current?.querySelectorAll<SVGGElement>("g[data-nodes]") ?? [])];
  const own = useMemo(() => Number(/viewBox="0 0 ([\d.]+)/.exec(told.svg)?.[1] ?? 600), [told.svg]);

  const paint = (): void => {
    const most = measure ? Math.max(...told.nodes.map((node) => node[measure]), 1) : 1;
    const all = boxes(), some = all.findIndex((box) => places(box).includes(chosen?.at ?? -1));
    all.forEach((box, n) => {
      const nodes = places(box).map((at) => told.nodes[at]!);
      const share = measure ? nodes.reduce((sum, node) => sum + node[measure], 0) / most : 0;
      box.setAttribute("role", "button");
      box.setAttribute("aria-label", nodes.map(words).join("; "));
      box.setAttribute("aria-pressed", String(n === some));
      box.setAttribute("tabindex", n === Math.max(some, 0) ? "0" : "-1");
      box.style.setProperty("--share", String(Math.min(share, 1)));
      box.classList.toggle("shared", nodes.some((node) => node.ties.length > 0));
    });
  };
  useEffect(paint);
  const pick = (box: SVGGElement | undefined): void => {
    if (!box) return;
    box.focus();
    choose(places(box)[0] ?? null);
  };
  const onKey = (event: KeyboardEvent): void => {
    const all = boxes(), at = all.indexOf(document.activeElement as unknown as SVGGElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1, Enter: at, " ": at }[event.key];
    if (to === undefined) { if (event.key === "Escape") choose(null); return; }
    event.preventDefault();
    pick(all[Math.min(Math.max(to, 0), all.length - 1)]);
  };
  const zoom = (to: number): void => { setScale(Math.min(Math.max(to, 0.2), 4)); announce(t("{n} % of the size", { n: Math.round(100 * to) })); };
  const fit = (): void => zoom(Math.min(1, (view.current?.clientWidth ?? own) / own));
  useEffect(() => { if (drawn.current) { drawn.current.style.maxWidth = "none"; drawn.current.style.width = `${own * scale}px`; } }, [scale, own, told.svg]);
  return (
    <>
      <div class={measure ? "canvas by" : "canvas"} ref={view} role="group" aria-label={t("The graph; arrow keys go from box to box")}
        onKeyDown={onKey}
        onClick={(event) => pick((event.target as Element).closest<SVGGElement>("g[data-nodes]") ?? undefined)}
        onWheel={(event) => { if (event.ctrlKey) { event.preventDefault(); zoom(scale * Math.exp(-event.deltaY / 300)); } }}
        onPointerDown={(event) => { if (event.pointerType === "mouse" && view.current) from.current = { x: event.clientX, y: event.clientY, left: view.current.scrollLeft, top: view.current.scrollTop }; }}
        onPointerMove={(event) => { if (from.current && view.current) { view.current.scrollLeft = from.current.left + from.current.x - event.clientX; view.current.scrollTop = from.current.top + from.current.y - event.clientY; } }}
        onPointerUp={() => { from.current = null; }} onPointerLeave={() => { from.current = null; }}>
        <Drawing svg={told.svg} label={told.name} wide onDrawn={(svg) => { drawn.current = svg; svg.style.maxWidth = "none"; svg.style.width = `${own * scale}px`; paint(); }} />
      </div>
      <div class="tools">
        <button type="button" class="quiet" aria-label={t("Smaller")} onClick={() => zoom(scale / 1.25)}>−</button>
        <button type="button" class="quiet" aria-label={t("Its own size")} onClick={() => zoom(1)}>{Math.round(100 * scale)} %</button>
        <button type="button" class="quiet" aria-label={t("Larger")} onClick={() => zoom(scale * 1.25)}>+</button>
        <button type="button" class="quiet" onClick={fit}>{t("Fit")}</button>
      </div>
    </>
  );
}

const places = (box: Element): number[] => (box.getAttribute("data-nodes") ?? "").split(" ").map(Number);
const words = (node: Node): string => [node.name, node.kind, node.detail, shape(node.output), node.parameters && t("{n} parameters", { n: count(node.parameters) })].filter(Boolean).join(", ");

function Details({ run, node, all, choose }: { run: string; node: Node; all: Node[]; choose: (at: number | null) => void }): JSX.Element {
  const to = all.filter((other) => other.inputs.some(([at]) => at === node.at));
  const other = (at: number): JSX.Element => <button type="button" class="link" onClick={() => choose(at)}>{[...new Set([all[at]?.kind, all[at]?.name])].filter(Boolean).join(" ")}</button>;
  const rows: [string, string | number][] = [
    [t("output"), shape(node.output)], [t("parameters"), node.parameters && count(node.parameters)],
    [t("of them used before"), node.shared && count(node.shared)], [t("shared weights"), node.ties.join(", ")],
    [t("multiply-adds for one row"), node.multiply_adds && count(node.multiply_adds)], [t("bytes of its output"), node.memory && count(node.memory)],
    [t("sees of the input"), sees(node.receptive_field)], [t("modules inside"), node.inside],
  ];
  return (
    <>
      <h2>{node.kind} <small>{node.detail}</small></h2>
      {node.name && node.name !== node.kind && <p><code>{node.name}</code></p>}
      <dl>{rows.filter(([, value]) => value).map(([says, value]) => <div><dt>{says}</dt><dd>{value}</dd></div>)}</dl>
      {node.inputs.length > 0 && <p>{t("From")}: {node.inputs.map(([at, sizes], n) => <>{n > 0 && ", "}{other(at)} ({shape(sizes)})</>)}</p>}
      {to.length > 0 && <p>{t("To")}: {to.map((one, n) => <>{n > 0 && ", "}{other(one.at)}</>)}</p>}
      {"layers" in RUN_PAGES && node.parameters > 0 && <p><a href={link(["runs", run, "layers"], { quantity: "activation_deviation", layer: node.name })}>{t("Its gradients and activations over the steps")}</a></p>}
    </>
  );
}

const table = (nodes: Node[]): Numbers => ({
  head: ["", t("name"), t("kind"), t("output"), t("parameters"), t("shared weights"), t("multiply-adds for one row"), t("bytes of its output"), t("sees of the input"), t("From")],
  rows: nodes.map((node) => [node.at, node.name, `${node.kind} ${node.detail}`.trim(), shape(node.output), node.parameters, node.ties.join(" "),
    node.multiply_adds, node.memory, sees(node.receptive_field), node.inputs.map(([at]) => at).join(" ")]),
});
