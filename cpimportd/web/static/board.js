// What the page shows at a glance, from one answer of the server.

import { chart, monthly } from "./chart.js";
import { el, fill, id, table } from "./dom.js";
import { away, clock, count, day, kopecks, moment, money, month, setZone, soon } from "./format.js";
import { problems } from "./problems.js";
import { open, status } from "./run.js";
import { plural, t } from "./texts.js";

/** Rows that a table shows at once; of more workbooks those with something wrong, of more organizations their sum. */
const MOST_ROWS = 60;
const MOST_ORGANIZATIONS = 20;
let everyFile = false;

const GLYPHS = { published: "✓", unchanged: "=", partial: "◐", held: "‖", failed: "✕", abandoned: "✕", running: "…" };

/** Everything but the chart. */
export function overview(found) {
  setZone(found.timezone);
  light(found.light);
  figures(found.summary);
  held(found.held);
  days(found.days);
  files(found.files);
  id("foot").textContent = t("as_of", { moment: moment(found.now), zone: found.timezone });
}

function light({ state, reasons }) {
  id("board").dataset.light = state;
  id("headline").textContent = t(`light_${state}`);
  document.title = `${{ green: "🟢", yellow: "🟡", red: "🔴" }[state]} ${t(`light_${state}`)} · cpimportd`;
  fill(id("reasons"), ...reasons.map((one) => el("li", {
    text: one.count === undefined ? t(`why_${one.code}`) : plural(`why_${one.code}`, one.count, { n: count(one.count) }),
  })));
}

/** What the run waits for, why, when it is tried again and when it is given up. */
function waits(one) {
  const said = one.why ? `${t(`wait_${one.for}`)}: ${one.why}` : t(`wait_${one.for}`);
  const ends = [one.next && t("wait_next", { at: clock(one.next) }), one.until && t("wait_until", { at: clock(one.until) })];
  return [t("waits", { what: said }), ...ends.filter(Boolean)].join("; ");
}

/** The next slot, and how far a run is that goes on now. */
export function live(found) {
  const slots = found.schedules.filter((one) => one.job === "import").map((one) => one.next).filter(Boolean).sort();
  id("next").textContent = !found.daemon ? "" : slots.length ? t("next_slot", { when: soon(slots[0]), away: away(slots[0]) }) : t("no_slot");
  const run = found.running;
  id("live").hidden = run === null;
  if (run === null) return;
  const { stage, done, files: all, percent } = run.progress;
  const parts = [t("running", { stage: t(`stage_${stage}`) }), all === null ? null : t("of_files", { done, files: all }), t("began", { away: away(run.began) }), ...(run.waits ?? []).map(waits)];
  id("stage").textContent = parts.filter(Boolean).join(" · ");
  if (percent === null) id("progress").removeAttribute("value");
  else id("progress").value = percent;
}

function figures(summary) {
  const documents = (kind) => plural("documents", summary.documents[kind].rows, { n: count(summary.documents[kind].rows) });
  const entries = [
    ["receipts", money(summary.total_receipts), documents("receipts")],
    ["expenses", money(summary.total_expenses), documents("expenses")],
    ["principal", money(summary.principal), null],
    ["interest", money(summary.interest), null],
    kopecks(summary.other) === 0n ? null : ["other", money(summary.other), null],
    ["contracts", count(summary.active_contracts), null],
  ].filter(Boolean);
  const currencies = Object.keys(summary.currencies).filter(Boolean);
  const unit = currencies.length === 1 ? `, ${currencies[0]}` : "";
  fill(id("figures"), ...entries.map(([name, text, aside]) => el("div", { class: `figure f-${name}` },
    el("dt", { text: t(name) + (name === "contracts" ? "" : unit) }),
    el("dd", { class: "sum", text }),
    aside && el("dd", { class: "aside", text: aside }))),
    currencies.length > 1 ? el("p", { class: "aside", text: t("mixed", { currencies: currencies.join(", ") }) }) : null);
}

function held(units) {
  id("held-section").hidden = units.length === 0;
  fill(id("held"), ...units.map((one) => el("li", {},
    el("h3", {}, one.organization, el("span", { class: "aside", text: ` ${one.kinds.map((kind) => t(`kind_${kind}`)).join(", ")}` })),
    el("p", { class: "where" }, `${t("held_since", { since: moment(one.since) })} · `,
      el("button", { type: "button", class: "link", text: t("show_run", { run: one.run }), onclick: () => open(one.run) })),
    problems(one.problems.filter((found) => found.effect !== "warns")))));
}

function days(found) {
  const used = new Set();
  fill(id("days"), ...found.map((one) => {
    const number = String(Number(one.day.slice(8)));
    if (!one.runs.length) {
      return el("li", {}, el("span", { class: "day none" }, el("span", { "aria-hidden": "true", text: number }),
        el("span", { class: "unseen", text: t("no_run_that_day", { day: day(one.day) }) })));
    }
    const last = one.runs.at(-1);
    used.add(last.status);
    const label = t("that_day", { day: day(one.day), runs: plural("runs", one.runs.length), status: t(`status_${last.status}`) });
    const runs = one.runs.map((run) => run.run);
    return el("li", {}, el("button", {
      type: "button", class: `day s-${last.status}`, "aria-label": label, title: label, onclick: () => open(last.run, runs),
    }, el("span", { text: number }), el("span", { class: "glyph", text: GLYPHS[last.status] ?? "?" })));
  }));
  fill(id("legend"), ...[...used].map((name) => el("li", {}, el("span", { class: `day s-${name}` }, el("span", { class: "glyph", text: GLYPHS[name] ?? "?" })), t(`status_${name}`))));
}

function files(found) {
  if (!found.length) {
    fill(id("files"), el("caption", { text: t("no_files") }));
    return;
  }
  const short = found.length > MOST_ROWS && !everyFile;
  const shown = short ? found.filter((one) => one.stale || one.status === "held").slice(0, MOST_ROWS) : found;
  const more = found.length - shown.length;
  fill(id("files-more"), more === 0 ? null : el("span", { class: "aside", text: `${plural("files_more", more, { n: count(more) })} ` }),
    more === 0 ? null : el("button", { type: "button", class: "link", text: t("show_all"), onclick: () => { everyFile = true; files(found); } }));
  const titles = ["workbook", "kind", "whose", "uploaded", "good", "state"].map((name) => t(name));
  table(id("files"), titles, shown.map((one) => [
    { node: one.name, head: true },
    one.kind === null ? t("unknown") : t(`kind_${one.kind}`),
    one.organizations.join(", ") || t("unknown"),
    one.modified === null ? t("unknown") : el("time", { datetime: one.modified, title: moment(one.modified), text: away(one.modified) }),
    one.good_at === null ? t("never") : el("time", { datetime: one.good_at, title: moment(one.good_at), text: away(one.good_at) }),
    el("span", {}, status(one.status), one.stale ? el("span", { class: "status stale", text: t("stale_mark") }) : ""),
  ]), t("files"));
}

/** The chart and its table; `rows` as the server gave them. */
export function months(rows) {
  const names = [...new Set(rows.map((one) => one.organization))].sort();
  const choice = id("organization");
  const before = choice.value;
  fill(choice, el("option", { value: "", text: t("everybody") }), ...names.map((name) => el("option", { value: name, text: name })));
  choice.value = names.includes(before) ? before : "";
  const together = monthly(rows, choice.value);
  chart(id("chart"), together);
  const wanted = choice.value === "" && names.length > MOST_ORGANIZATIONS
    ? together.map((one) => ({ ...one, organization: t("everybody") }))
    : rows.filter((one) => choice.value === "" || one.organization === choice.value);
  const titles = [t("month"), t("organization"), { text: t("principal"), number: true }, { text: t("interest"), number: true }];
  table(id("months"), titles, [...wanted].reverse().map((one) => [
    { node: one.month === null ? t("undated") : month(one.month), head: true }, one.organization,
    { node: money(one.principal), number: true }, { node: money(one.interest), number: true },
  ]), t("months"));
}
