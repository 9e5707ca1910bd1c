// The folder of a comparison, cross-validation, search or race: what its report says.
import type { JSX } from "preact";
import { get, ofRun } from "../kit/api";
import { Loaded, useLoaded } from "../kit/load";
import type { PageProps } from "../kit/pages";
import { lang } from "../kit/words";
import { Sections, type Report } from "./compare";

export default function Study({ run }: PageProps): JSX.Element {
  const said = lang.value;
  const found = useLoaded((signal) => get<Report>(ofRun(run, "study", { lang: said }), signal), [run, said]);
  return <Loaded found={found}>{(report) => <><h1>{report.title}</h1><Sections report={report} /></>}</Loaded>;
}
