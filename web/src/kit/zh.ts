// Chinese by English template; a test asks for every template of the pages. One file a page.
import { ZH_LAYERS } from "./zh-layers";
import { ZH_POPULATION } from "./zh-population";
import { ZH_SHELL } from "./zh-shell";

export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_LAYERS, ...ZH_POPULATION };
