// Elements are made here and nowhere else: every text goes in as text, so that nothing in it can become markup.

/** Make an element. `properties`: class, text, attributes; listeners by `onclick` and the like; null leaves out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Make an element of a drawing. */
export function draw(tag, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** The element with an id. */
export const id = (name) => document.getElementById(name);

/** Put other children in place of what an element holds. */
export const fill = (element, ...children) => element.replaceChildren(...children.filter(Boolean));

/** A table: titles, then rows of cells; a cell is a text, an element, or {node, number, head}. */
export function table(target, titles, rows, caption = null) {
  const head = el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", {
    scope: "col", class: title.number ? "number" : null, text: title.text ?? title,
  }))));
  const body = el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell, at) => {
    const plain = cell instanceof Node || typeof cell === "string" ? { node: cell } : cell;
    const made = el(plain.head ? "th" : "td", {
      scope: plain.head ? "row" : null,
      class: plain.number ? "number" : null,
      "data-title": titles[at].text ?? titles[at],
    });
    made.append(plain.node);
    return made;
  }))));
  fill(target, caption && el("caption", { class: "unseen", text: caption }), head, body);
}
