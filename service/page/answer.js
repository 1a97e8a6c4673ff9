/** An answer as it is read: text with chips, positions, sources, and what was left out. */

import { counted, icon, make } from "./dom.js";
import { wordsIn } from "./spans.js";

const REASONS = {
  nothing_retrieved: "Nothing in the sources resembles the question.",
  no_passage_answers: "The passages that came closest do not answer the question.",
  premise_not_in_sources: "The question supposes something that the sources do not state.",
  model_refused: "The language model found no answer in the passages that it was given.",
};

/** What each chip, and each link to a passage, opens. */
export const places = new WeakMap();

/** What a source is called on the page. */
export function nameOf({ title, source, name }) {
  return title || source || name;
}

/** A date as people write it, or what was given. */
export function dateOf(published) {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(published ?? "") ? new Date(`${published}T00:00:00Z`) : null;
  if (!date || Number.isNaN(date.getTime())) return published ?? "";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}

/** Where a citation stands, such as "page 3, line 12 · 8 June 2025". */
export function placeOf({ page, line, published }) {
  const spot = [page && `page ${page}`, line && `line ${line}`].filter(Boolean).join(", ");
  return [spot, dateOf(published)].filter(Boolean).join(" · ");
}

/** The address that opens a source at a span. */
export function addressOf({ source, start, end }) {
  return `#source=${encodeURIComponent(source)}&start=${start}&end=${end}`;
}

/** The words of a citation's quote that answer, as the answer names them, or null. */
export function answeringWords(answer, citation) {
  const position = answer.positions.find((each) => each.citations.includes(citation.number));
  const named = [position?.value, answer.short].find((words) => wordsIn(citation.quote, words));
  return named ?? (position ? figureIn(answer.text, citation) : null);
}

/** The figure that the text gives before a citation's number, as the quote has it: "approximately $14 billion". */
function figureIn(text, { number, quote }) {
  const before = text.slice(0, text.indexOf(`[${number}]`)).replace(/(\s*\[\d+\])+$/, "");
  const words = before.slice(before.lastIndexOf("]") + 1).split(/\s+/).filter(Boolean);
  for (let length = Math.min(6, words.length); length > 0; length -= 1) {
    for (let start = 0; start + length <= words.length; start += 1) {
      const run = words.slice(start, start + length).join(" ");
      if (/\d/.test(run) && wordsIn(quote, run)) return run;
    }
  }
  return null;
}

/** The citations of an answer as places to open, in their order. */
export function placesOf(answer) {
  const found = answer.citations.map((citation) => ({ ...citation, words: answeringWords(answer, citation) }));
  found.forEach((place) => Object.assign(place, { all: found }));
  return found;
}

/** The text so far, while it streams: its numbers are not yet links. */
export function streamedText(text) {
  return make("p", { class: "prose", dir: "auto" }, pieces(text, new Map()));
}

/** A whole answer. */
export function answerView(answer) {
  const cited = new Map(placesOf(answer).map((place) => [place.number, place]));
  const refused = answer.outcome === "not_in_sources";
  return make(
    "div",
    { class: `answer ${answer.outcome}` },
    verdictOf(answer),
    !refused && answer.outcome !== "disputed" && answer.short
      ? make("p", { class: "short", dir: "auto" }, answer.short)
      : null,
    make("p", { class: "prose", dir: "auto" }, marked(answer, cited)),
    refused ? make("p", { class: "reason" }, REASONS[answer.reason] ?? "") : null,
    wordedBy(answer),
    answer.outcome === "disputed" ? positionsTable(answer, cited) : null,
    answer.missing.length ? missingPart(answer.missing) : null,
    refused && answer.nearest.length ? nearestPart(answer.nearest) : null,
    cited.size ? sourcesPart([...cited.values()]) : null,
    answer.withheld.length ? withheldPart(answer.withheld) : null,
  );
}

/** Which language model put it into words, or why the one that was asked for did not. */
function wordedBy({ model, fallback }) {
  if (fallback) return make("p", { class: "reason" }, `Answered without a language model: ${fallback}`);
  return model === "builtin" ? null : make("p", { class: "reason" }, `Worded by ${model}, each claim checked.`);
}

function verdictOf({ outcome }) {
  if (outcome === "disputed") return make("p", { class: "verdict" }, "The sources disagree");
  if (outcome === "not_in_sources") return make("p", { class: "verdict" }, "Not in the sources");
  return null;
}

/** The text with chips, and with unsupported claims set apart. */
function marked(answer, cited) {
  const doubtful = answer.claims.filter((claim) => claim.verdict === "unsupported").map((claim) => claim.text);
  const found = [];
  let rest = answer.text;
  for (const claim of doubtful) {
    const at = rest.indexOf(claim);
    if (at < 0) continue;
    found.push(...pieces(rest.slice(0, at), cited), make("span", { class: "unsupported" }, claim));
    rest = rest.slice(at + claim.length);
  }
  return [...found, ...pieces(rest, cited)];
}

function pieces(text, cited) {
  // A word, its numbers and the full stop stay on one line.
  return text.split(/(\S{0,24}(?:\s*\[\d+\])+[.,;:!?]?)/).filter(Boolean).map((piece) => {
    const parts = piece.split(/\s*\[(\d+)\]/);
    if (parts.length === 1) return piece;
    const made = parts.map((part, index) => (index % 2 ? chip(Number(part), cited.get(Number(part))) : part));
    return make("span", { class: "tied" }, made.filter((each) => each !== ""));
  });
}

/** A number in the text; a link where its citation is known. */
export function chip(number, place) {
  if (!place) return make("span", { class: "chip waiting" }, String(number));
  const label = `Citation ${number}: ${nameOf(place)}, ${placeOf(place)}`;
  const link = make("a", { class: "chip", href: addressOf(place), "aria-label": label }, String(number));
  places.set(link, place);
  return link;
}

function positionsTable(answer, cited) {
  const head = ["Value", "Who says so", "Published"].map((text) =>
    make("th", { scope: "col", role: "columnheader" }, text),
  );
  const rows = answer.positions.map((position) => {
    const named = position.sources.map((source) => {
      const own = position.citations.map((number) => cited.get(number)).filter((place) => place?.source === source);
      const [first] = own.length ? own : answer.citations.filter((citation) => citation.source === source);
      const called = make("span", { class: "saying", dir: "auto" }, nameOf(first ?? { source }));
      const chips = own.map((place) => chip(place.number, place));
      return { date: dateOf(first?.published) || "not given", who: make("span", { class: "who" }, chips, called) };
    });
    return named.map(({ who, date }, index) =>
      make(
        "tr",
        { class: index ? null : "first", role: "row" },
        index
          ? null
          : make(
              "th",
              { scope: "rowgroup", role: "rowheader", rowspan: named.length, class: "value", dir: "auto" },
              position.value,
            ),
        make("td", { role: "cell" }, who),
        make("td", { role: "cell", class: "date" }, date),
      ),
    );
  });
  // The roles are named because a narrow screen lays the rows out as lines, which would else be no table any more.
  return make(
    "table",
    { class: "positions", role: "table" },
    make("caption", { class: "unseen" }, "The positions of the sources"),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, head)),
    rows.map((group) => make("tbody", { role: "rowgroup" }, group)),
  );
}

function missingPart(missing) {
  return make(
    "div",
    { class: "missing" },
    make("h3", {}, "Not answered by the sources"),
    make("ul", {}, missing.map((part) => make("li", { dir: "auto" }, part))),
  );
}

function nearestPart(nearest) {
  const items = nearest.map((each) => {
    const link = make("a", { class: "source-link", href: addressOf(each), dir: "auto" }, nameOf(each));
    places.set(link, each);
    return make(
      "li",
      {},
      make("p", { class: "source-line" }, link, make("span", { class: "spot" }, `line ${each.line}`)),
      make("blockquote", { class: "quote clamped", dir: "auto" }, each.text),
    );
  });
  return make(
    "section",
    { class: "nearest" },
    make("h3", {}, "The nearest passages, which are not an answer"),
    make("ol", {}, items),
  );
}

function sourcesPart(cited) {
  const items = cited.map((place) => {
    const link = make("a", { class: "source-link", href: addressOf(place), dir: "auto" }, nameOf(place));
    places.set(link, place);
    return make(
      "li",
      { value: place.number },
      make("span", { class: "number", "aria-hidden": "true" }, String(place.number)),
      make(
        "div",
        {},
        make("p", { class: "source-line" }, link, make("span", { class: "spot" }, placeOf(place))),
        make("blockquote", { class: "quote", dir: "auto" }, quoted(place.quote, place.words)),
      ),
    );
  });
  return make("section", { class: "cited" }, make("h3", {}, "In their words"), make("ol", {}, items));
}

/** A quote with its answering words marked. */
export function quoted(quote, words) {
  const span = wordsIn(quote, words);
  if (!span) return [quote];
  return [
    quote.slice(0, span.start),
    make("strong", { class: "words" }, quote.slice(span.start, span.end)),
    quote.slice(span.end),
  ];
}

function withheldPart(withheld) {
  return make(
    "details",
    { class: "withheld" },
    make("summary", {}, icon("next"), `${counted(withheld.length, "claim")} withheld`),
    make("p", {}, "The language model said this, and the check did not find it in the sources."),
    make(
      "ul",
      {},
      withheld.map((claim) =>
        make("li", { dir: "auto" }, claim.text, make("span", { class: "why" }, claim.reason.replaceAll("_", " "))),
      ),
    ),
  );
}
