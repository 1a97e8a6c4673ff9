/** Answers as text and as Markdown, with their sources, and the clipboard. */

import { nameOf, placeOf } from "./answer.js";

/** A turn as plain text. */
export function asText({ question, answer }) {
  const lines = [question, "", answer.text];
  for (const citation of answer.citations) {
    lines.push("", `[${citation.number}] ${headed(citation)}`, `“${citation.quote}”`);
  }
  return `${lines.join("\n")}\n`;
}

/** A turn as Markdown. */
export function asMarkdown({ question, rewritten, answer }) {
  const parts = [`## ${question}`];
  if (rewritten) parts.push(`*${rewritten}*`);
  parts.push(answer.text);
  if (answer.outcome === "disputed") parts.push(positions(answer));
  for (const citation of answer.citations) {
    parts.push(`[${citation.number}] ${headed(citation)}:`, `> ${citation.quote.replaceAll("\n", "\n> ")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

function headed(citation) {
  const named = citation.title ? `${nameOf(citation)} (${citation.source})` : citation.source;
  return [named, placeOf(citation)].filter(Boolean).join(", ");
}

function positions(answer) {
  const rows = answer.positions.map(({ value, sources, citations }) => {
    const cells = [value, sources.join(", "), citations.map((number) => `[${number}]`).join("")];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  });
  return ["| what they say | who says so | citations |", "|---|---|---|", ...rows].join("\n");
}

/** Put a text on the clipboard; says whether that worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS there is no clipboard but the old way.
    return copyOldWay(text);
  }
}

function copyOldWay(text) {
  const back = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "unseen";
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  back?.focus();
  return done;
}
