// Every sentence of the pages is said through t("English template {n}", {n: 3}).
import { signal } from "@preact/signals";
import { ZH } from "./zh";

export type Lang = "en" | "zh";
const kept = (new URLSearchParams(location.hash.split("?")[1]).get("lang") ?? localStorage.getItem("lang") ?? navigator.language).slice(0, 2);
export const lang = signal<Lang>(kept === "zh" ? "zh" : "en");

export function t(template: string, values: Record<string, string | number> = {}): string {
  const said = lang.value === "zh" ? (ZH[template] ?? template) : template;
  return said.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function setLang(to: Lang): void {
  localStorage.setItem("lang", to);
  lang.value = to;
}
