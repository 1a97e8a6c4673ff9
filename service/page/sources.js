/** The list of sources in the pane: searched, a page at a time, and added to where that is allowed. */

import { dateOf, nameOf } from "./answer.js";
import { fetchJson } from "./api.js";
import { announce, button, counted, make } from "./dom.js";
import { problemView, skeleton } from "./notices.js";
import { uploadPart } from "./upload.js";

const FETCHED = 1000;
const SHOWN = 50;
const TYPING = 120;

/** Lists the sources and opens them. */
export class SourceList {
  constructor(pane, reader) {
    this.pane = pane;
    this.reader = reader;
    this.sources = [];
    this.words = "";
    this.first = 0;
  }

  /** Open the list. */
  async show(opener = null) {
    this.reader.leave();
    this.pane.show({ kind: "list", title: "Sources", opener, body: [skeleton(6)] });
    this.pane.title.focus({ preventScroll: true });
    await this.load();
  }

  async load() {
    try {
      this.sources = await everySource((sources) => this.progress(sources));
    } catch (error) {
      if (this.shown) this.pane.body.replaceChildren(problemView(error, () => this.load()));
      return;
    }
    if (!this.shown) return;
    this.rows = make("ol", { class: "source-rows" });
    this.count = make("p", { class: "count" });
    this.pager = make("div", { class: "pager" });
    const upload = make("div");
    this.pane.body.replaceChildren(this.search(), this.count, this.rows, this.pager, upload);
    this.fill();
    const part = await uploadPart(() => this.load());
    if (part) upload.replaceWith(part);
  }

  get shown() {
    return this.pane.open && this.pane.element.dataset.kind === "list";
  }

  progress({ sources, total }) {
    if (this.shown) this.pane.element.querySelector(".pane-meta").textContent = `${sources.length} of ${total}`;
  }

  search() {
    let timer = 0;
    const field = make("input", {
      type: "search",
      class: "search",
      placeholder: "Search by title or name",
      "aria-label": "Search the sources",
      value: this.words,
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.words = field.value;
          this.first = 0;
          this.fill();
        }, TYPING);
      },
    });
    return make("div", { class: "search-box" }, field);
  }

  fill() {
    const wanted = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.sources.filter(({ index }) => wanted.every((word) => index.includes(word)));
    const part = found.slice(this.first, this.first + SHOWN);
    this.pane.element.querySelector(".pane-meta").textContent = "";
    this.rows.replaceChildren(...part.map((source) => this.row(source)));
    this.count.textContent = this.words.trim()
      ? `${found.length.toLocaleString("en")} of ${counted(this.sources.length, "source")}`
      : counted(this.sources.length, "source");
    announce(this.count.textContent);
    this.fillPager(found.length, part.length);
  }

  fillPager(all, here) {
    const turn = (by, text, possible) =>
      button(
        text,
        () => {
          this.first += by;
          this.fill();
          this.pane.body.scrollTop = 0;
          this.rows.querySelector("button")?.focus({ preventScroll: true });
        },
        { disabled: !possible, class: "plain" },
      );
    this.pager.hidden = all <= SHOWN;
    this.pager.replaceChildren(
      turn(-SHOWN, "Previous", this.first > 0),
      make("span", { class: "count" }, `${this.first + 1}–${this.first + here} of ${all.toLocaleString("en")}`),
      turn(SHOWN, "Next", this.first + here < all),
    );
  }

  row(source) {
    const facts = [source.title ? source.name : null, dateOf(source.published), counted(source.passages, "passage")];
    const open = () => this.reader.show({ source: source.name, title: source.title, start: 0, end: 0, listed: true });
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "source-row", onclick: open },
        make("span", { class: "source-row-title", dir: "auto" }, nameOf(source)),
        make("span", { class: "source-row-facts" }, facts.filter(Boolean).join(" · ")),
      ),
    );
  }
}

/** All sources, asked for a part at a time. */
async function everySource(progress) {
  const sources = [];
  for (;;) {
    const part = await fetchJson(`v1/sources?limit=${FETCHED}&offset=${sources.length}`);
    for (const source of part.sources) {
      sources.push({ ...source, index: `${source.title ?? ""} ${source.name} ${source.published ?? ""}`.toLowerCase() });
    }
    if (!part.sources.length || sources.length >= part.total) return sources;
    progress({ sources, total: part.total });
  }
}

/** Example questions made from titles: names that several of them share, then single titles. */
export function examplesFrom(titles) {
  const names = new Map();
  for (const title of titles) {
    const words = title.split(" ");
    const pairs = words.slice(1).map((word, index) => `${words[index]} ${word}`);
    const found = pairs.filter((pair) => /^\p{Lu}[\p{L}\d]+ \p{Lu}[\p{L}\d]+$/u.test(pair));
    for (const name of new Set(found)) names.set(name, (names.get(name) ?? 0) + 1);
  }
  const shared = [...names].filter(([, times]) => times > 1).sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const [first] = shared;
  const general = first ? [`What is ${first}?`] : [];
  const single = titles.filter((title) => title.length <= 70).map((title) =>
    first && title.includes(first) ? `What does “${title}” say about ${first}?` : `What does “${title}” say?`,
  );
  return [...general, ...single].slice(0, 3);
}
