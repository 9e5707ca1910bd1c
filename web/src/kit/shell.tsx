// What stands around every page: navigation, language, theme, the state of the connection, tabs of a run.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce, Spoken } from "./announce";
import { ofRun, get, session } from "./api";
import { Boundary } from "./boundary";
import { wire } from "./connection";
import { KeyHelp, useKeys } from "./keys";
import { NAVIGATION, PAGES, RUN_PAGES, TABS, type Kind, type PageProps } from "./pages";
import { link, place } from "./route";
import { useSetting } from "./setting";
import { useLoaded } from "./load";
import { LIVE, State } from "./state";
import { states } from "./stream";
import { lang, setLang, t } from "./words";

type Theme = "system" | "light" | "dark";
type Page = (props: PageProps) => JSX.Element;

export function App(): JSX.Element {
  const main = useRef<HTMLElement>(null);
  const [first = "", run = ""] = place.value.parts;
  const ofOne = first === "runs" && run !== "";
  document.documentElement.lang = lang.value === "zh" ? "zh-CN" : "en";
  useHeading(main, ofOne ? run : "");
  return (
    <>
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{t("To the content")}</a>
      <Top first={first} />
      <Lost />
      {ofOne && <Boundary key={run}><RunFrame run={run} tab={place.value.parts[2] ?? ""} /></Boundary>}
      <main id="content" ref={main} tabIndex={-1}><Shown /></main>
      <Foot />
      <Spoken />
    </>
  );
}

/** What loads the page of an address. */
export const pageOf = ([first = "", run = "", tab = ""]: string[]): (() => Promise<{ default: Page }>) | undefined =>
  first === "runs" && run ? RUN_PAGES[tab] : PAGES[first];

function Shown(): JSX.Element {
  const [first = "", run = "", tab = ""] = place.value.parts;
  const load = pageOf(place.value.parts);
  const [page, setPage] = useState<{ of: unknown; Page?: Page; error?: Error }>();
  useEffect(() => {
    let left = false; // a page that comes after the reader went on to another is not shown
    const show = (found: { Page?: Page; error?: Error }): void => { if (!left) setPage({ of: load, ...found }); };
    load?.().then((found) => show({ Page: found.default }), (error: Error) => show({ error }));
    return () => { left = true; };
  }, [load]);
  if (!load) return <><h1>{t("No such page")}</h1><p><a href="#/">{t("Runs")}</a></p></>;
  if (page?.of !== load) return <p class="note" aria-busy="true">{t("Loading")} …</p>;
  if (!page.Page) return <p class="error" role="alert">{page.error?.message}</p>;
  return <Boundary key={`${first}/${run}/${tab}`}><page.Page key={run} run={run} parts={place.value.parts} /></Boundary>;
}

/** The title of the window follows the heading of the page; after a change of page the heading gets the focus. */
function useHeading(main: { current: HTMLElement | null }, run: string): void {
  const path = place.value.parts.join("/");
  const came = useRef(path), due = useRef(false);
  if (came.current !== path) { came.current = path; due.current = true; }
  useEffect(() => {
    const box = main.current;
    if (!box) return;
    const read = (): void => {
      const heading = box.querySelector("h1");
      const title = [heading?.textContent, run, "chymist"].filter((part, at, all) => part && all.indexOf(part) === at).join(" · ");
      if (document.title !== title) document.title = title;
      if (!heading || !due.current) return;
      due.current = false;
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    read();
    const watch = new MutationObserver(read);
    watch.observe(box, { childList: true, subtree: true, characterData: true });
    return () => watch.disconnect();
  }, [path, run]);
}

function Top({ first }: { first: string }): JSX.Element {
  const other = lang.value === "zh" ? "en" : "zh";
  return (
    <header class="top">
      <a class="brand" href="#/">chymist</a>
      <nav aria-label={t("Studio")}>
        {NAVIGATION.filter(([part]) => part in PAGES).map(([part, label]) => (
          <a href={link(part ? [part] : [])} aria-current={part === (first === "runs" ? "" : first) ? "page" : undefined}>{t(label)}</a>
        ))}
      </nav>
      <div class="end">
        <Connection />
        <ThemeChoice />
        <button type="button" class="quiet" lang={other === "zh" ? "zh-CN" : "en"} onClick={() => setLang(other)}>{other === "zh" ? "中文" : "English"}</button>
        <KeyHelp />
      </div>
    </header>
  );
}

function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useSetting<Theme>("theme", "system");
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
    dispatchEvent(new Event("themechange")); // canvases draw again
  }, [theme]);
  return (
    <select aria-label={t("Colours")} value={theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
      <option value="system">{t("As the system")}</option>
      <option value="light">{t("Light")}</option>
      <option value="dark">{t("Dark")}</option>
    </select>
  );
}

function Connection(): JSX.Element {
  const says = { live: t("Live"), wait: t("Reconnecting"), gone: t("Ended"), other: t("Ended") }[wire.value];
  return <span class={`wire ${wire.value === "other" ? "gone" : wire.value}`}>{says}</span>;
}

function Lost(): JSX.Element | null {
  const said = wire.value === "gone" ? t("The studio has ended. Training goes on without it. Start it again with: chymist studio")
    : wire.value === "other" ? t("The studio was started again: open the address that it printed.") : "";
  useEffect(() => { if (said) announce(said); }, [said]);
  return said ? <p class="lost">{said}</p> : null;
}

interface Frame { kind: Kind; state: string }
const EVERY = 1000, EVERY_AT_REST = 5000; // milliseconds

function RunFrame({ run, tab }: { run: string; tab: string }): JSX.Element {
  const [asked, setAsked] = useState(0);
  const { value } = useLoaded((signal) => get<Frame>(ofRun(run, "frame"), signal), [run, tab, wire.value, asked, states.value[run]?.state]);
  const every = LIVE.includes(value?.state ?? "") ? EVERY : EVERY_AT_REST;
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setAsked((n) => n + 1); }, every);
    return () => clearInterval(timer);
  }, [every]);
  const tabs = TABS.filter(({ part, kinds }) => part in RUN_PAGES && (!value || kinds.includes(value.kind)));
  const here = tabs.findIndex(({ part }) => part === tab);
  const go = (by: number): void => { const to = tabs[here + by]; if (to) location.hash = link(["runs", run, to.part].filter(Boolean)); };
  useKeys([
    { key: "[", says: t("Page before"), does: () => go(-1) },
    { key: "]", says: t("Next page of the run"), does: () => go(1) },
  ], [run, tab, tabs.length, lang.value]);
  return (
    <section class="place" aria-label={t("Run {name}", { name: run })}>
      <p class="who"><strong>{run}</strong>{value && <State state={value.state} />}</p>
      <nav class="tabs" aria-label={t("Pages of this run")}>
        {tabs.map(({ part, label }) => (
          <a href={link(["runs", run, part].filter(Boolean))} aria-current={part === tab ? "page" : undefined}>{t(label)}</a>
        ))}
      </nav>
    </section>
  );
}

function Foot(): JSX.Element {
  const { value } = useLoaded(session, []);
  return (
    <footer class="foot">
      <span>chymist {value?.version}</span>
      <span>{t("Nothing leaves this machine")}</span>
    </footer>
  );
}
