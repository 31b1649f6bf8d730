// Problems as the server tells them: a sentence, where, what to do, and the import's own words where they say more.

import { el } from "./dom.js";
import { t } from "./texts.js";

const place = (one) => [
  one.file,
  one.row === null || one.row === undefined ? null : t("place_row", { row: one.row }),
  one.column ? t("place_column", { column: one.column }) : null,
  one.value ? t("place_value", { value: one.value }) : null,
].filter(Boolean).join(" · ");

/** One problem as an entry of a list. */
export function problem(one) {
  return el("li", { class: `problem ${one.effect ?? ""}` },
    el("p", { class: "sentence", text: one.sentence }),
    place(one) ? el("p", { class: "where", text: place(one) }) : null,
    one.details ? el("p", { class: "message" }, `${t("details")} `, el("span", { lang: "en", text: one.details })) : null,
    el("p", { class: "way-out" }, el("strong", { text: t("way_out") }), ` ${one.way_out}`));
}

/** Several problems, each once. */
export function problems(found) {
  const seen = new Map(found.map((one) => [JSON.stringify([one.code, one.message, one.file, one.row, one.column]), one]));
  return el("ul", { class: "problems" }, ...[...seen.values()].map(problem));
}
