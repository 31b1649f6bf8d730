// Principal and interest by month, drawn as stacked columns; the arrow keys go from month to month.

import { draw, el, fill } from "./dom.js";
import { kopecks, money, month, rough } from "./format.js";
import { t } from "./texts.js";

const HEIGHT = 260;
const EDGE = { top: 12, right: 4, bottom: 26, left: 56 };

/** The months from the first to the last, also those without a payment, with sums in kopecks. */
export function monthly(rows, organization) {
  const sums = new Map();
  for (const row of rows) {
    if (row.month === null || (organization !== "" && row.organization !== organization)) continue;
    const sum = sums.get(row.month) ?? { month: row.month, principal: 0n, interest: 0n };
    sum.principal += kopecks(row.principal);
    sum.interest += kopecks(row.interest);
    sums.set(row.month, sum);
  }
  const known = [...sums.keys()].sort();
  if (!known.length) return [];
  const months = [];
  for (let at = known[0]; at <= known.at(-1); at = following(at)) {
    months.push(sums.get(at) ?? { month: at, principal: 0n, interest: 0n });
  }
  return months;
}

function following(text) {
  const [year, number] = text.split("-").map(Number);
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, "0")}`;
}

/** A month's place in the calendar, so that every January falls on a step of a whole year. */
function index(text) {
  const [year, number] = text.split("-").map(Number);
  return year * 12 + number - 1;
}

/** Round steps for an axis: 1, 2, 2.5 or 5 times a power of ten. */
function steps(most) {
  const raw = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((by) => by * power).find((size) => size >= raw);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step);
}

const roubles = (sum) => Number(sum) / 100;

/** Draw the chart into an element, and again whenever its width changes. */
export function chart(target, months) {
  target.observer?.disconnect();
  if (!months.length) {
    fill(target, el("p", { class: "aside", text: t("no_months") }));
    return;
  }
  const said = el("p", { class: "readout" });
  const frame = el("div", {
    class: "plot", tabindex: "0", role: "slider", "aria-label": t("chart_label"),
    "aria-valuemin": "0", "aria-valuemax": String(months.length - 1),
  });
  let chosen = months.length - 1;
  const say = (at) => {
    chosen = Math.max(0, Math.min(months.length - 1, at));
    const one = months[chosen];
    const parts = ["principal", "interest"].map((what) => `${t(what)} ${money(one[what])}`);
    fill(said, el("strong", { text: month(one.month) }),
      ...["principal", "interest"].map((what) => el("span", { class: `key ${what}`, text: `${t(what)} ${money(one[what])}` })));
    frame.setAttribute("aria-valuenow", String(chosen));
    frame.setAttribute("aria-valuetext", `${month(one.month)}: ${parts.join(", ")}`);
    for (const bar of frame.querySelectorAll(".column")) bar.classList.toggle("chosen", Number(bar.dataset.at) === chosen);
  };
  const redraw = () => {
    fill(frame, columns(months, Math.max(280, frame.clientWidth), say));
    say(chosen);
  };
  frame.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: months.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    say(to);
  });
  fill(target, said, frame);
  redraw();
  let width = frame.clientWidth;
  target.observer = new ResizeObserver(() => {
    if (frame.clientWidth !== width) { width = frame.clientWidth; redraw(); }
  });
  target.observer.observe(frame);
}

function columns(months, width, say) {
  const picture = draw("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true", focusable: "false" });
  const most = Math.max(...months.map((one) => roubles(one.principal + one.interest)), 1);
  const ticks = steps(most);
  const space = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const y = (value) => EDGE.top + space.height * (1 - Math.max(0, value) / ticks.at(-1));
  for (const tick of ticks) {
    picture.append(draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }));
    picture.append(draw("text", { class: "tick", x: EDGE.left - 8, y: y(tick) + 4, "text-anchor": "end" }, rough(tick)));
  }
  const step = space.width / months.length;
  const thick = Math.max(2, Math.min(34, step * 0.68));
  const every = [1, 2, 3, 6, 12, 24, 60].find((size) => size * step >= 42) ?? 120;
  months.forEach((one, at) => {
    const x = EDGE.left + step * at;
    const column = draw("g", { class: "column", "data-at": at });
    column.append(draw("rect", { class: "reach", x, y: EDGE.top, width: step, height: space.height }));
    const [low, high] = [roubles(one.principal), roubles(one.principal + one.interest)];
    const left = x + (step - thick) / 2;
    column.append(draw("rect", { class: "principal", x: left, width: thick, y: y(low), height: Math.max(0, y(0) - y(low)) }));
    column.append(draw("rect", { class: "interest", x: left, width: thick, y: y(high), height: Math.max(0, y(low) - y(high)) }));
    for (const name of ["pointerenter", "pointerdown"]) column.addEventListener(name, () => say(at));
    picture.append(column);
    if (index(one.month) % every === 0) {
      const named = one.month.endsWith("-01") ? one.month.slice(0, 4) : month(one.month, "short");
      const middle = Math.min(x + step / 2, width - 18);
      picture.append(draw("text", { class: "tick", x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, named));
    }
  });
  return picture;
}
