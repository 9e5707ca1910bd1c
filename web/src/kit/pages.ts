// The pages of a run and of the studio, and what loads them; a page is a default export.
import type { JSX } from "preact";

export interface PageProps { run: string; parts: string[] }
type Page = { default: (props: PageProps) => JSX.Element };

/** What the navigation calls them, in its order; one that is not registered is left out. */
export const NAVIGATION: readonly (readonly [part: string, label: string])[] = [
  ["", "Runs"], ["compare", "Compare"], ["playground", "Playground"],
];

export type Kind = "fit" | "import" | "cv" | "compare" | "search" | "race" | "population";
const STUDIES: readonly Kind[] = ["cv", "compare", "search", "race"];

/** Tabs of a run in their order, and the kinds of folders that they make sense for. */
export const TABS: readonly { part: string; label: string; kinds: readonly Kind[] }[] = [
  { part: "", label: "Overview", kinds: ["fit", "import", "population", ...STUDIES] },
  { part: "curves", label: "Curves", kinds: ["fit", "import", "population"] },
  { part: "layers", label: "Layers", kinds: ["fit"] },
  { part: "predictions", label: "Predictions", kinds: ["fit"] },
  { part: "explain", label: "Explain", kinds: ["fit"] },
  { part: "architecture", label: "Architecture", kinds: ["fit", "population"] },
  { part: "doctor", label: "Doctor", kinds: ["fit", "import"] },
  { part: "population", label: "Population", kinds: ["population"] },
  { part: "comparison", label: "Comparison", kinds: STUDIES },
];

/** By the first part of the address. */
export const PAGES: Record<string, () => Promise<Page>> = {
  "": () => import("../pages/runs"),
  compare: () => import("../pages/compare"),
  playground: () => import("../pages/playground"),
};

/** By the part after the name of a run; "" is the overview. */
export const RUN_PAGES: Record<string, () => Promise<Page>> = {
  "": () => import("../pages/overview"),
  curves: () => import("../pages/curves"),
  layers: () => import("../pages/layers"),
  predictions: () => import("../pages/predictions"),
  explain: () => import("../pages/explain"),
  architecture: () => import("../pages/architecture"),
  doctor: () => import("../pages/doctor"),
  population: () => import("../pages/population"),
  comparison: () => import("../pages/study"),
};
