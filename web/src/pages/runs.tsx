import type { JSX } from "preact";
import { get } from "../kit/api";
import { Loaded, useLoaded } from "../kit/load";
import { link } from "../kit/route";
import { t } from "../kit/words";

interface Row { name: string }

export default function Runs(): JSX.Element {
  const found = useLoaded((signal) => get<{ runs: Row[] }>("/api/runs", signal), []);
  return (
    <>
      <h1>{t("Runs")}</h1>
      <Loaded found={found}>{({ runs }) => (
        <ul>{runs.map((row) => <li><a href={link(["runs", row.name])}>{row.name}</a></li>)}</ul>
      )}</Loaded>
    </>
  );
}
