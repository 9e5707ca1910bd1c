// Chinese by English template; a test asks for every template of the pages. One file a page.
import { ZH_ARCHITECTURE } from "./zh-architecture";
import { ZH_DOCTOR } from "./zh-doctor";
import { ZH_EXPLAIN } from "./zh-explain";
import { ZH_PREDICTIONS } from "./zh-predictions";
import { ZH_SHELL } from "./zh-shell";

export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_DOCTOR };
import { ZH_CURVES } from "./zh-curves";
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_CURVES };
import { ZH_RUNS } from "./zh-runs";
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_RUNS };
import { ZH_LAYERS } from "./zh-layers";
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_LAYERS };
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_PREDICTIONS, ...ZH_EXPLAIN, ...ZH_DOCTOR };
import { ZH_PLAYGROUND } from "./zh-playground";
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_PLAYGROUND };
export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_DOCTOR, ...ZH_ARCHITECTURE };
