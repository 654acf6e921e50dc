// Elements of a page; and tables whose cells are changed and not made anew, so that nobody loses their place in them.
// All that a server tells is put into the page as text.

import { NOTHING } from "./lab-units.js";

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Changes nothing where nothing changes: a selection stays, and a screen reader is not disturbed.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A place for a chart, under its title and its figures, which are the legend as well; `names` are those of its lines.
export class Frame {
  constructor(root, { id, title, about, names }) {
    this.values = names.map(() => element("output", {}, NOTHING));
    this.chart = element("div", { className: "chart", role: "img", ariaLabel: `${title}: chart` });
    const keys = names.map((name, i) => (names.length === 1 ? "" : element("span", { className: `key line-${i + 1}` }, name)));
    root.append(element("figure", { id },
      element("figcaption", {}, element("h2", {}, title), element("p", { className: "about" }, about)),
      element("p", { className: names.length > 1 ? "values several" : "values" }, ...this.values.map((value, i) => element("span", {}, keys[i], " ", value))),
      this.chart));
  }

  tell(texts) {
    texts.forEach((text, i) => put(this.values[i], text));
  }
}

export class Table {
  // `columns` have a title, and what is `of` a row in it; one that `isShown` for no row is left out.
  constructor(root, caption, columns) {
    this.columns = columns;
    this.head = element("tr");
    this.body = element("tbody");
    const table = element("table", {}, element("caption", { textContent: caption }), element("thead", {}, this.head), this.body);
    this.frame = element("div", { className: "scrolls", tabIndex: 0, role: "region", ariaLabel: caption, hidden: true }, table);
    root.append(this.frame);
  }

  show(rows) {
    this.frame.hidden = rows.length === 0;
    const columns = this.columns.filter(({ isShown }) => !isShown || rows.some(isShown));
    fit(this.head, columns.length, () => element("th", { scope: "col" }));
    columns.forEach(({ title, isText }, i) => fill(this.head.children[i], title, isText));
    fit(this.body, rows.length, () => element("tr"));
    rows.forEach((row, y) => {
      const line = this.body.children[y];
      fit(line, columns.length, (x) => (x ? element("td") : element("th", { scope: "row" })));
      columns.forEach(({ of, isText, isBad }, x) => fill(line.children[x], of(row), isText, isBad?.(row)));
    });
  }
}

function fill(cell, text, isText = false, isBad = false) {
  put(cell, text);
  cell.classList.toggle("text", isText);
  cell.classList.toggle("bad", isBad);
}

function fit(parent, wanted, make) {
  while (parent.children.length > wanted) parent.lastElementChild.remove();
  while (parent.children.length < wanted) parent.append(make(parent.children.length));
}
