// Chinese by English template; a test asks for every template of the pages. One file a page.
import { ZH_DOCTOR } from "./zh-doctor";
import { ZH_OVERVIEW } from "./zh-overview";
import { ZH_SHELL } from "./zh-shell";

export const ZH: Record<string, string> = { ...ZH_SHELL, ...ZH_DOCTOR, ...ZH_OVERVIEW };
