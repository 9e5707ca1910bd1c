// Runs beside each other: what can be told, by the same functions as on the command line.
import type { JSX } from "preact";
import { get } from "../kit/api";
import { Loaded, useLoaded } from "../kit/load";
import { link, place } from "../kit/route";
import { Script } from "../kit/script";
import { Piece } from "../kit/svg";
import { lang, t } from "../kit/words";

export interface Report { title: string; html: string; script: string; caution?: string; command?: string | null }

export default function Compare(): JSX.Element {
  const names = (place.value.query.get("runs") ?? "").split(",").filter(Boolean).map(decodeURIComponent);
  return (
    <>
      <h1>{t("Compare")}</h1>
      {names.length < 2
        ? <p>{t("Choose two or more runs in the list, and compare them.")} <a href={link([])}>{t("Runs")}</a></p>
        : <Compared names={names} />}
    </>
  );
}

function Compared({ names }: { names: string[] }): JSX.Element {
  const query = new URLSearchParams([...names.map((name) => ["run", name] as [string, string]), ["lang", lang.value]]);
  const found = useLoaded((signal) => get<Report>(`/api/compare?${query}`, signal), [query.toString()]);
  return (
    <>
      <p class="note">{names.map((name) => <><a href={link(["runs", name])}><bdi>{name}</bdi></a> </>)}</p>
      <Loaded found={found}>{(report) => <Sections report={report} />}</Loaded>
    </>
  );
}

export function Sections({ report }: { report: Report }): JSX.Element {
  return (
    <div class="sections">
      <Piece html={report.html} />
      {report.caution && <Piece html={report.caution} />}
      <Script python={report.script} {...(report.command ? { command: report.command } : {})} />
    </div>
  );
}
