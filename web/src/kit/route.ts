// Where the reader is: "#/runs/NAME/curves?log=1"; all state worth sharing is in the address.
import { signal } from "@preact/signals";

export interface Place { parts: string[]; query: URLSearchParams }

// An address typed by hand may hold a "%" that begins no character: it is then taken as it stands.
const plain = (part: string): string => { try { return decodeURIComponent(part); } catch { return part; } };
const read = (): Place => {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(plain), query: new URLSearchParams(query) };
};
export const place = signal<Place>(read());
addEventListener("hashchange", () => { place.value = read(); });

export const link = (parts: string[], query: Record<string, string> = {}): string => {
  const text = new URLSearchParams(query).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
};

/** Change the query of this place without a new entry in the history. */
export function setQuery(changes: Record<string, string | null>): void {
  const query = Object.fromEntries(place.value.query);
  for (const [name, value] of Object.entries(changes)) if (value === null) delete query[name]; else query[name] = value;
  history.replaceState(null, "", link(place.value.parts, query));
  place.value = read();
}
