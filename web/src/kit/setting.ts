// What a reader chose is kept in this browser; what is worth sharing belongs into the address instead.
import { signal, type Signal } from "@preact/signals";

const known = new Map<string, Signal<unknown>>();

/** A kept value by its name, the same for every part of the page. */
export function setting<T>(name: string, initial: T): Signal<T> {
  let found = known.get(name);
  if (!found) {
    let value: unknown = initial;
    try { value = JSON.parse(localStorage.getItem(name) ?? "") ?? initial; } catch { /* nothing was kept */ }
    known.set(name, found = signal(value));
  }
  return found as Signal<T>;
}

/** A kept value and what changes it, as useState gives them. */
export function useSetting<T>(name: string, initial: T): [T, (to: T) => void] {
  const found = setting(name, initial);
  return [found.value, (to) => { found.value = to; localStorage.setItem(name, JSON.stringify(to)); }];
}
