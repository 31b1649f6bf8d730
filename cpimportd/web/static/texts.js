// The words of the page in the language that was chosen; what the server says comes in the same.

import { words } from "./words.js";

const KEY = "cpimportd.language";

let chosen = localStorage.getItem(KEY) ?? (navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en");
if (!(chosen in words)) chosen = "en";

export { words };
export const language = () => chosen;
export const languages = Object.keys(words);

export function choose(name) {
  chosen = name;
  localStorage.setItem(KEY, name);
}

/** The state of a workbook or unit; of an import Russian says it in another form. */
export const stateOf = (name) => words[chosen][`m_${name}`] ?? t(`status_${name}`);

const put = (text, facts) => text.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");

/** A text of the dictionary with facts in its places; one that is not there is its own name. */
export const t = (key, facts = {}) => put(words[chosen][key] ?? key.replace(/^[a-z]+_/, ""), facts);

/** A text that depends on a number. */
export function plural(key, number, facts = {}) {
  const forms = words[chosen][key];
  return put(forms[new Intl.PluralRules(chosen).select(number)] ?? forms.other, { n: number, ...facts });
}

/** Put the dictionary's words into what stands in the page from the start. */
export function speak() {
  document.documentElement.lang = chosen;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = t(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", t(one.dataset.label));
  for (const one of document.querySelectorAll("[data-language]")) {
    one.setAttribute("aria-pressed", String(one.dataset.language === chosen));
  }
}
