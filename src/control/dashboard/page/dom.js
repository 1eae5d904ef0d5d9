// What may be done to the page: text and elements, never markup. Names come from the network and are hostile.

const SVG = "http://www.w3.org/2000/svg";

// Characters that are not seen, or that turn the text around them, are written out.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]/g;

export function plain(text) {
  return String(text ?? "").replace(UNSEEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

export const byId = (id) => document.getElementById(id);

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = plain(text);
  return element;
}

export function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  return element;
}

// A name from outside: what is in it changes nothing of what is around it.
export function name(text, className) {
  return make("bdi", className, text);
}

// Writes only what changed, so that a selection stays and a screen reader is not told twice.
export function write(element, text) {
  const wanted = plain(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function mark(element, attribute, value) {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}

// Keeps one row for each item: makes what is missing, drops what is left over, and lets `fill` write the rest.
export function rows(body, items, make, fill) {
  body.querySelectorAll(":scope > [data-none]").forEach((row) => row.remove());
  while (body.children.length > items.length) body.lastElementChild.remove();
  items.forEach((item, at) => {
    let row = body.children[at];
    if (!row) body.append((row = make()));
    fill(row, item);
  });
}

// Says in the place of rows that there are none.
export function none(body, columns, text) {
  const there = body.querySelector(":scope > [data-none]");
  if (there) return write(there.firstElementChild, text);
  body.replaceChildren();
  const row = make(columns ? "tr" : "li", "none");
  row.dataset.none = "";
  const cell = make(columns ? "td" : "span", "note", text);
  if (columns) cell.colSpan = columns;
  row.append(cell);
  body.append(row);
}

// A row of one heading and cells.
export function line(classes) {
  return () => {
    const row = make("tr");
    classes.forEach((className, at) => {
      const cell = make(at === 0 ? "th" : "td", className);
      if (at === 0) cell.scope = "row";
      row.append(cell);
    });
    return row;
  };
}

// How far the bar behind a row's heading goes, from 0 to 1.
export function bar(row, part) {
  const text = `${(100 * Math.min(1, Math.max(0, part || 0))).toFixed(1)}%`;
  const style = row.firstElementChild.style;
  if (style.getPropertyValue("--part") !== text) style.setProperty("--part", text);
}
