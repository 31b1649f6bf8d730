// The page's life: who may look, what is loaded when, and what goes on meanwhile.

import { events, forgetToken, get, hasToken, keepToken, post, takeToken } from "./api.js";
import * as board from "./board.js";
import { el, fill, id } from "./dom.js";
import { again } from "./run.js";
import { choose, speak, t } from "./texts.js";

const REFRESH = 60_000;
const PAUSES = [1_000, 2_000, 5_000, 15_000];

let found = null;
let rows = [];
let now = null;
let watching = null;

function login(wrong = false) {
  watching?.abort();
  watching = null;
  id("board").hidden = true;
  id("away").hidden = true;
  id("login").hidden = false;
  id("login-problem").textContent = wrong ? t("login_wrong") : "";
  id("leave").hidden = true;
  id("token").value = "";
  id("token").focus();
}

function failed(error) {
  if (error.status === 401) {
    const wrong = hasToken();
    forgetToken();
    login(wrong);
    return;
  }
  const told = error.problem ?? {};
  id("away").hidden = false;
  fill(id("away"),
    el("h1", { text: told.detail ? t("no_database") : t("server_away") }),
    told.detail ? el("p", { text: told.detail }) : null,
    told.message && told.message !== told.detail ? el("p", { class: "where", lang: "en", text: told.message }) : null,
    el("p", {}, el("strong", { text: t("way_out") }), ` ${told.way_out ?? t("server_away_out")}`));
}

async function load() {
  try {
    const months = get(`/import/months?months=${id("period").value}`);
    months.catch(() => {});
    found = await get("/import/overview");
    rows = (await months).months;
  } catch (error) {
    failed(error);
    return;
  }
  id("login").hidden = true;
  id("away").hidden = true;
  id("board").hidden = false;
  id("leave").hidden = !hasToken();
  render();
  if (watching === null) watch();
}

function render() {
  if (found === null) return;
  board.overview(found);
  board.months(rows);
  board.live(now ?? found.live);
}

async function watch() {
  watching = new AbortController();
  const { signal } = watching;
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      for await (const status of events("/import/events", signal)) {
        tries = 0;
        const over = now !== null && (now.daemon !== status.daemon || now.last_job !== status.last_job || (now.running !== null && status.running === null));
        now = status;
        board.live(status);
        if (over) load();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) { failed(error); return; }
    }
    now = null;
    await new Promise((resolve) => { setTimeout(resolve, PAUSES[Math.min(tries, PAUSES.length - 1)]); });
  }
}

async function trigger() {
  id("trigger").disabled = true;
  try {
    const answer = await post("/import/trigger");
    id("asked").textContent = t(answer.queued ? "queued" : "asked");
  } catch (error) {
    if (error.status === 401) failed(error);
    else fill(id("asked"), el("span", { class: "problem-line", text: `${error.problem?.detail ?? t("server_away")} ${error.problem?.way_out ?? ""}` }));
  }
  id("trigger").disabled = false;
}

function start() {
  takeToken();
  speak();
  for (const one of document.querySelectorAll("[data-language]")) {
    one.addEventListener("click", () => { choose(one.dataset.language); speak(); render(); again(); if (!id("board").hidden) load(); });
  }
  id("login").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(id("token").value.trim());
    load();
  });
  id("leave").addEventListener("click", () => { forgetToken(); found = null; login(); });
  id("trigger").addEventListener("click", trigger);
  id("organization").addEventListener("change", () => board.months(rows));
  id("period").addEventListener("change", load);
  id("run-close").addEventListener("click", () => id("run").close());
  id("run").addEventListener("click", (event) => { if (event.target === id("run")) id("run").close(); });
  window.addEventListener("hashchange", () => { takeToken(); load(); });
  setInterval(() => { if (id("login").hidden) load(); }, REFRESH);
  load();
}

start();
