// One import in a dialog: what it was, what was noticed, how the sums moved, and what it made different.

import { get } from "./api.js";
import { el, fill, id, table } from "./dom.js";
import { count, moment, money, seconds } from "./format.js";
import { problems } from "./problems.js";
import { plural, stateOf, t } from "./texts.js";

const PAGE = 50;
const MARKS = { added: "+", removed: "−", changed: "±", retimed: "↻", rekeyed: "↻" };
let shown = null;
let siblings = [];

/** Open the dialog with an import; `sameDay`: the numbers of that day's imports, to go from one to another. */
export async function open(run, sameDay = []) {
  shown = run;
  siblings = sameDay;
  const dialog = id("run");
  id("run-title").textContent = t("run", { run });
  fill(id("run-body"), el("p", { class: "aside", text: t("loading") }));
  if (!dialog.open) dialog.showModal();
  id("run-title").focus();
  try {
    const found = await get(`/import/runs/${run}`);
    if (shown === run) render(found, sameDay);
  } catch (error) {
    const told = error.problem ?? {};
    fill(id("run-body"), el("p", { class: "problem-line", text: told.detail ?? t("server_away") }), el("p", { text: told.way_out ?? "" }));
  }
}

/** Show it again, in another language. */
export const again = () => { if (id("run").open && shown !== null) open(shown, siblings); };

function render(run, sameDay) {
  id("run-title").textContent = `${t("run", { run: run.run })}: ${t(`status_${run.status}`)}`;
  const report = run.report;
  fill(id("run-body"), days(run, sameDay), facts(run), ...(report === null ? [] : [noticed(report), bridges(report), workbooks(report)]), diff(run.run));
}

function days(run, sameDay) {
  if (sameDay.length < 2) return null;
  return el("nav", { class: "same-day", "aria-label": t("same_day") }, ...sameDay.map((number) => el("button", {
    type: "button", "aria-current": number === run.run ? "true" : null, text: String(number), onclick: () => open(number, sameDay),
  })));
}

function facts(run) {
  const by = run.schedule ? t("by_schedule", { name: run.schedule }) : [t("by_hand"), run.requested_by].filter(Boolean).join(", ");
  const pairs = [
    ["began_at", moment(run.started_at)], ["took", seconds(run.seconds)], ["by", by], ["host", run.host ?? t("unknown")],
  ];
  return el("dl", { class: "facts" }, ...pairs.map(([name, text]) => el("div", {}, el("dt", { text: t(name) }), el("dd", { text }))));
}

const section = (title, ...children) => el("section", {}, el("h3", { text: t(title) }), ...children);

function noticed(report) {
  const all = [...report.problems, ...report.units.flatMap((one) => one.problems), ...report.files.flatMap((one) => one.problems)];
  return section("problems", all.length ? problems(all) : el("p", { class: "aside", text: t("no_problems") }));
}

function scrolling(title, made) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t(title) }, made);
}

function bridges(report) {
  const made = el("table");
  const sums = ["opening", "added", "removed", "changed", "closing"];
  const titles = [t("unit"), t("state"), ...sums.map((name) => ({ text: t(name), number: true }))];
  const rows = report.units.flatMap((unit) => {
    const name = (kind) => ({ node: `${unit.organization}, ${t(`kind_${kind}`)}`, head: true });
    if (!unit.bridge.length) return [[name(unit.kinds[0]), status(unit.status), ...sums.map(() => ({ node: "–", number: true }))]];
    return unit.bridge.map((one) => [name(one.kind), status(unit.status), ...sums.map((sum) => ({ node: money(one[sum]), number: true }))]);
  });
  table(made, titles, rows, t("units"));
  return section("units", scrolling("units", made));
}

export const status = (name) => el("span", { class: `status s-${name}`, text: stateOf(name) });

function workbooks(report) {
  const made = el("table");
  const titles = [t("workbook"), t("state"), { text: t("rows"), number: true }, { text: t("total"), number: true }];
  table(made, titles, report.files.map((one) => [
    { node: one.name, head: true }, status(one.status), { node: count(one.rows), number: true },
    { node: money(one.control_total), number: true },
  ]), t("files"));
  return section("files", scrolling("files", made));
}

function diff(run) {
  const list = el("ul", { class: "documents" });
  const more = el("button", { type: "button", text: t("more"), hidden: true });
  const counts = el("p", { class: "aside" });
  let skip = 0;
  const load = async () => {
    more.disabled = true;
    const found = await get(`/import/runs/${run}/diff?skip=${skip}&limit=${PAGE}`).catch((error) => error.problem ?? {});
    more.disabled = false;
    if (!found.documents) { counts.textContent = found.detail ?? t("server_away"); return; }
    const told = Object.entries(found.counts).filter(([, number]) => number).map(([what, number]) => `${t(`diff_${what}`)} ${count(number)}`);
    counts.textContent = told.join(" · ") || t("no_diff");
    list.append(...found.documents.map(doc));
    skip += found.documents.length;
    more.hidden = skip >= found.total;
  };
  more.addEventListener("click", load);
  load();
  return section("diff", counts, list, more);
}

/** The fields that differ, less the amount, which stands beside the document's name. */
const others = (one) => one.differences.filter((d) => d.field !== "amount");

function doc(one) {
  const sums = [one.amount_before, one.amount_after].filter((sum) => sum !== null);
  const same = sums.length === 2 && sums[0] === sums[1];
  const lines = one.lines_gone.length + one.lines_new.length;
  return el("li", { class: `document d-${one.what}` },
    el("p", { class: "document-head" },
      el("span", { class: "sign", "aria-hidden": "true", text: MARKS[one.what] ?? "" }),
      el("span", { class: "document-name" }, el("span", { class: "unseen", text: `${t(`diff_${one.what}`)}: ` }), one.operation_id),
      el("span", { class: "sum", text: (same ? sums.slice(1) : sums).map(money).join(" → ") })),
    el("p", { class: "where", text: [one.organization, one.was ? t("was", { name: one.was }) : null,
      one.source ? t("source", { file: one.source.file, row: one.source.row }) : null].filter(Boolean).join(" · ") }),
    others(one).length ? el("ul", { class: "differences" }, ...others(one).map((d) => el("li", {},
      el("span", { class: "field", text: `${d.title}: ` }), el("del", { text: text(d.old) }), " → ", el("ins", { text: text(d.new) })))) : null,
    one.what !== "added" && one.what !== "removed" && lines ? el("p", { class: "where", text: plural("lines", lines) }) : null);
}

function text(value) {
  if (value === null || value === undefined || value === "") return t("nothing");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
