/** What is shown while there is nothing to read: waiting, and what went wrong. */

import { key } from "./api.js";
import { button, make } from "./dom.js";

/** Lines where text will be. */
export function skeleton(lines) {
  const rows = Array.from({ length: lines }, () => make("span", { class: "skeleton-line" }));
  return make("div", { class: "skeleton", "aria-hidden": "true" }, rows);
}

/** A problem in its place, with a way on, `again`, that is called `text`; a missing key can be given at once. */
export function problemView(problem, again, text = "Try again") {
  if (!problem.title) console.error(problem);
  const known = problem.title ? problem : { title: "The page failed", detail: String(problem), hint: "Load it anew." };
  const retry = again && known.status !== 401 && known.status !== 403;
  return make(
    "div",
    { class: "problem", role: "alert" },
    make("p", { class: "problem-title" }, known.title),
    known.detail ? make("p", {}, known.detail) : null,
    known.hint ? make("p", { class: "hint" }, known.hint) : null,
    known.retryAfter ? make("p", { class: "hint" }, `There is room again in about ${known.retryAfter} s.`) : null,
    known.status === 401 ? keyForm(again) : null,
    retry ? button(text, again, { class: "plain" }) : null,
  );
}

function keyForm(again) {
  const field = make("input", { type: "password", name: "key", autocomplete: "off", spellcheck: "false", required: true });
  return make(
    "form",
    {
      class: "key-form",
      onsubmit: (event) => {
        event.preventDefault();
        key.set(field.value.trim());
        again?.();
      },
    },
    make("label", {}, "Key", field),
    make("button", { type: "submit", class: "primary" }, "Use this key"),
    make("p", { class: "hint" }, "It is kept in this tab and forgotten when the tab is closed."),
  );
}
