// Chinese by English template; a test asks for every template of the pages. One file a page.
import { ZH_ARCHITECTURE } from "./zh-architecture";
import { ZH_CURVES } from "./zh-curves";
import { ZH_DOCTOR } from "./zh-doctor";
import { ZH_EXPLAIN } from "./zh-explain";
import { ZH_LAYERS } from "./zh-layers";
import { ZH_OVERVIEW } from "./zh-overview";
import { ZH_PLAYGROUND } from "./zh-playground";
import { ZH_POPULATION } from "./zh-population";
import { ZH_PREDICTIONS } from "./zh-predictions";
import { ZH_RUNS } from "./zh-runs";
import { ZH_SHELL } from "./zh-shell";

export const ZH: Record<string, string> = {
  ...ZH_ARCHITECTURE,
  ...ZH_CURVES,
  ...ZH_DOCTOR,
  ...ZH_EXPLAIN,
  ...ZH_LAYERS,
  ...ZH_OVERVIEW,
  ...ZH_PLAYGROUND,
  ...ZH_POPULATION,
  ...ZH_PREDICTIONS,
  ...ZH_RUNS,
  ...ZH_SHELL,
};
