import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";
import { place } from "./kit/route";
import { PAGES, RUN_PAGES, type PageProps } from "./kit/pages";
import { lang, t } from "./kit/words";

function Shown(): JSX.Element {
  const [first = "", run = "", tab = ""] = place.value.parts;
  const load = first === "runs" && run ? RUN_PAGES[tab] : PAGES[first];
  const [page, setPage] = useState<{ of: unknown; Page: (props: PageProps) => JSX.Element }>();
  useEffect(() => { load?.().then((found) => setPage({ of: load, Page: found.default })); }, [load]);
  if (!load) return <p role="alert">{t("No such page")}</p>;
  if (page?.of !== load) return <p class="note" aria-busy="true">{t("Loading")} …</p>;
  return <page.Page key={run} run={run} parts={place.value.parts} />;
}

function App(): JSX.Element {
  document.documentElement.lang = lang.value;
  return (
    <>
      <header class="top"><a href="#/"><strong>chymist</strong></a></header>
      <main><Shown /></main>
    </>
  );
}

render(<App />, document.getElementById("app")!);
