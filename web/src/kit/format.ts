// Counts, times and ages as people read them. Measured numbers come from the server as it says them.
import { lang, t } from "./words";

const locale = (): string => (lang.value === "zh" ? "zh-CN" : "en-GB");

export const count = (n: number): string => (isFinite(n) ? n.toLocaleString("en-US") : "–");

/** A date of seconds since 1970 as day and time. */
export const when = (seconds: number): string =>
  isFinite(seconds) ? new Date(1000 * seconds).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" }) : "–";

/** "0.8 s", "45 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (!isFinite(seconds)) return "–";
  if (seconds < 10) return t("{n} s", { n: seconds.toFixed(1) });
  const whole = Math.round(seconds);
  if (whole < 60) return t("{n} s", { n: whole });
  if (whole < 3600) return t("{m} min {s} s", { m: Math.floor(whole / 60), s: whole % 60 });
  return t("{h} h {m} min", { h: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60) });
}

export const ago = (seconds: number): string => t("{time} ago", { time: duration(Math.max(0, seconds)) });
