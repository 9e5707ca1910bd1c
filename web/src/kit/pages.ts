// The pages of a run and of the studio, and what loads them; a page is a default export.
import type { JSX } from "preact";

export interface PageProps { run: string; parts: string[] }
type Page = { default: (props: PageProps) => JSX.Element };

/** By the first part of the address. */
export const PAGES: Record<string, () => Promise<Page>> = {
  "": () => import("../pages/runs"),
};

/** By the part after the name of a run; "" is the overview. */
export const RUN_PAGES: Record<string, () => Promise<Page>> = {
  population: () => import("../pages/population"),
  layers: () => import("../pages/layers"),
};
