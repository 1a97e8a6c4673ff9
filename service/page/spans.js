/** Spans of a text. The service counts code points; a string of JavaScript counts UTF-16 units. */

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;
const WORD = /[\p{L}\p{N}]/u;
export const BLOCK = 20_000;

/** Where each of some code point offsets lies in UTF-16 units; offsets beyond the text lie at its end. */
export function unitsAt(text, offsets) {
  if (!PAIR.test(text)) return offsets.map((offset) => Math.min(offset, text.length));
  const sorted = [...new Set(offsets)].sort((a, b) => a - b);
  const found = new Map();
  let points = 0;
  let units = 0;
  for (const offset of sorted) {
    while (points < offset && units < text.length) {
      units += text.codePointAt(units) > 0xffff ? 2 : 1;
      points += 1;
    }
    found.set(offset, units);
  }
  return offsets.map((offset) => found.get(offset));
}

/** Where `words` stand in a text as words of their own, in units, or null. */
export function wordsIn(text, words) {
  if (!words) return null;
  for (let start = text.indexOf(words); start >= 0; start = text.indexOf(words, start + 1)) {
    const end = start + words.length;
    const before = [...text.slice(Math.max(0, start - 2), start)].at(-1) ?? "";
    const after = [...text.slice(end, end + 2)][0] ?? "";
    if (!(WORD.test(before) && WORD.test(words[0])) && !(WORD.test(after) && WORD.test(words.at(-1)))) {
      return { start, end };
    }
  }
  return null;
}

/** A text in blocks of lines, none ending within a span of `kept`: long texts are laid out a block at a time. */
export function blocksOf(text, kept) {
  const blocks = [];
  let start = 0;
  while (start < text.length) {
    let end = start + BLOCK >= text.length ? text.length : text.indexOf("\n", start + BLOCK) + 1 || text.length;
    for (let span; (span = kept.find((each) => each.start < end && end < each.end)); ) {
      end = text.indexOf("\n", span.end) + 1 || text.length;
    }
    blocks.push({ start, end });
    start = end;
  }
  return blocks;
}
