/** One source in the pane, scrolled to the sentence that is cited. */

import { addressOf, dateOf, nameOf } from "./answer.js";
import { fetchSource } from "./api.js";
import { copyText } from "./copy.js";
import { announce, iconButton, make } from "./dom.js";
import { problemView, skeleton } from "./notices.js";
import { blocksOf, unitsAt, wordsIn } from "./spans.js";

/** Opens places of sources: citations, nearest passages, and spans named by an address. */
export class Reader {
  constructor(pane) {
    this.pane = pane;
    this.place = null;
  }

  /** Open a place, `{source, start, end}` with the fields of a citation where it is one. */
  async show(place, opener = null) {
    this.place = place;
    this.markChips();
    const common = { kind: "source", opener, tools: this.tools(place) };
    this.pane.show({ ...common, title: nameOf(place), meta: [place.source], body: [skeleton(7)] });
    let body;
    let found = place;
    try {
      const source = await this.sourceOf(place);
      if (this.place !== place) return;
      found = { ...place, title: source.title, published: source.published };
      body = textView(source.text, place);
    } catch (error) {
      if (this.place !== place) return;
      body = problemView(error, () => this.show(place));
    }
    this.pane.show({ ...common, title: nameOf(found), meta: [metaOf(found)], body: [body] });
    this.arrive(found);
  }

  /** Nothing is open any more. */
  leave() {
    this.place = null;
    this.markChips();
  }

  /** Go to the next citation, or the previous one, of the answer whose citation is open. */
  step(by) {
    const all = this.place?.all;
    if (!all) return false;
    const at = all.indexOf(this.place);
    this.show(all[(at + by + all.length) % all.length]);
    return true;
  }

  async sourceOf(place) {
    const source = await fetchSource(place.source);
    return holds(source.text, place) ? source : fetchSource(place.source, true);
  }

  tools(place) {
    const copied = async () => {
      const address = new URL(addressOf(place), location.href).href;
      announce((await copyText(address)) ? "The link is copied." : "The link could not be copied.");
    };
    const link = iconButton("link", "Copy a link to this sentence", copied);
    if (!place.all) return [link];
    return [
      iconButton("previous", "Previous citation", () => this.step(-1), { "aria-keyshortcuts": "p" }),
      make("span", { class: "count" }, `${place.number} of ${place.all.length}`),
      iconButton("next", "Next citation", () => this.step(1), { "aria-keyshortcuts": "n" }),
      link,
    ];
  }

  arrive(place) {
    const mark = this.pane.body.querySelector("mark");
    const target = mark ?? this.pane.title;
    target.focus({ preventScroll: true });
    if (!mark) return;
    centre(this.pane.body, mark);
    // Blocks out of sight have guessed heights until they are seen.
    requestAnimationFrame(() => centre(this.pane.body, mark));
    const which = place.all ? `Citation ${place.number} of ${place.all.length}: ` : "";
    announce(`${which}${nameOf(place)}. ${mark.textContent}`);
  }

  markChips() {
    for (const chip of document.querySelectorAll(".chip[aria-current]")) chip.removeAttribute("aria-current");
    if (!this.place) return;
    const { source, start, end } = this.place;
    const address = addressOf({ source, start, end });
    for (const chip of document.querySelectorAll("a.chip")) {
      if (chip.getAttribute("href") === address) chip.setAttribute("aria-current", "true");
    }
  }
}

function metaOf(place) {
  const parts = [place.title ? place.source : null, place.page && `page ${place.page}`, place.line && `line ${place.line}`];
  return [...parts, dateOf(place.published)].filter(Boolean).join(" · ");
}

function centre(body, mark) {
  const box = mark.getBoundingClientRect();
  const frame = body.getBoundingClientRect();
  const room = Math.max(32, (frame.height - box.height) / 3);
  body.scrollTop += box.top - frame.top - room;
}

function holds(text, { start, end, quote }) {
  if (quote === undefined) return true;
  const [from, to] = unitsAt(text, [start, end]);
  return text.slice(from, to) === quote;
}

/** A source's text with a span marked, and the other citations of the same answer faintly. */
export function textView(text, place) {
  const view = make("div", { class: "source-text", dir: "auto" });
  if (!holds(text, place)) {
    view.append(make("p", { class: "notice" }, "This source has changed since the answer was given."));
  }
  const spans = holds(text, place) ? spansOf(text, place) : [];
  for (const block of blocksOf(text, spans)) {
    view.append(make("div", { class: "block" }, blockPieces(text, block, spans, place)));
  }
  return view;
}

function spansOf(text, place) {
  const others = (place.all ?? []).filter((each) => each !== place && each.source === place.source);
  const wanted = [place, ...others].filter(({ start, end }) => start >= 0 && end > start);
  const units = unitsAt(text, wanted.flatMap(({ start, end }) => [start, end]));
  const kept = [];
  wanted.forEach((each, index) => {
    const span = { start: units[2 * index], end: units[2 * index + 1], current: each === place, number: each.number };
    const free = kept.every((other) => span.end <= other.start || other.end <= span.start);
    if (span.end > span.start && free) kept.push(span);
  });
  return kept.sort((a, b) => a.start - b.start);
}

function blockPieces(text, block, spans, place) {
  const found = [];
  let at = block.start;
  for (const span of spans.filter((each) => block.start <= each.start && each.end <= block.end)) {
    found.push(text.slice(at, span.start), spanView(text.slice(span.start, span.end), span, place));
    at = span.end;
  }
  return [...found, text.slice(at, block.end)];
}

function spanView(words, span, place) {
  if (!span.current) return make("span", { class: "also", title: `Citation ${span.number}` }, words);
  const inner = wordsIn(words, place.words);
  const content = inner
    ? [
        words.slice(0, inner.start),
        make("strong", { class: "words" }, words.slice(inner.start, inner.end)),
        words.slice(inner.end),
      ]
    : [words];
  return make("mark", { tabindex: "-1" }, content);
}
