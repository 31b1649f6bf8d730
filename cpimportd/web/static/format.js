// Sums, moments and spans as people write them. Sums are added up in kopecks, as whole numbers: no fraction is lost.

import { language, plural } from "./texts.js";

const LOCALES = { en: "en-GB", ru: "ru-RU" };
let zone = "UTC";

export const setZone = (name) => { zone = name; };
const locale = () => LOCALES[language()];

export function kopecks(sum) {
  const [whole, part = ""] = sum.replace("-", "").split(".");
  const value = BigInt(whole + part.padEnd(2, "0").slice(0, 2));
  return sum.startsWith("-") ? -value : value;
}

export function money(sum) {
  if (sum === null || sum === undefined) return "–";
  const value = typeof sum === "bigint" ? sum : kopecks(sum);
  const digits = (value < 0n ? -value : value).toString().padStart(3, "0");
  return `${value < 0n ? "\u2212" : ""}${grouped(digits.slice(0, -2))},${digits.slice(-2)}`;
}

// As in every report and sentence of ours, whatever the language: a comma that meant thousands here and kopecks there
// would be read wrongly one day.
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, "\u00a0");
export const count = (number) => grouped(String(number));
export const rough = (number) =>
  new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(number);

const at = (text, options) => new Intl.DateTimeFormat(locale(), { timeZone: zone, ...options }).format(new Date(text));

export const moment = (text) => text === null ? "–" :
  at(text, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
export const clock = (text) => at(text, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const soon = (text) =>
  at(text, { weekday: "short", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
export const day = (text) => new Intl.DateTimeFormat(locale(), { timeZone: "UTC", day: "numeric", month: "long" })
  .format(new Date(`${text}T00:00Z`));
export const month = (text, style = "long") => new Intl.DateTimeFormat(locale(), {
  timeZone: "UTC", month: style, year: style === "long" ? "numeric" : undefined,
}).format(new Date(`${text}-01T00:00Z`));

/** How long ago, or how long until, in the largest unit that says enough. */
export function away(text, now = Date.now()) {
  const seconds = (new Date(text) - now) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "always" });
  const size = Math.abs(seconds);
  if (size < 90) return relative.format(Math.round(seconds / 60) || (seconds < 0 ? -1 : 1), "minute");
  if (size < 5400) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 129600) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86400), "day");
}

export const seconds = (number) => number === null ? "–" : plural("seconds", Number(number.toFixed(1)), {
  n: new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }).format(number),
});
