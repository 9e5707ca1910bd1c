// Chinese by English template; a test asks for every template of the pages. One file a page.
import { ZH_CURVES } from "./zh-curves";
import { ZH_DOCTOR } from "./zh-doctor";
import { ZH_RUNS } from "./zh-runs";
import { ZH_SHELL } from "./zh-shell";

export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_RUNS, ...ZH_DOCTOR, ...ZH_CURVES };
