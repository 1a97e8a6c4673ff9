"use strict";
const form = document.getElementById("filters");
const cases = [...document.querySelectorAll("details.case")];
const told = document.getElementById("told");
const none = document.getElementById("none");
const toggle = document.getElementById("toggle");

function wanted(one) {
  const { kind, verdict, stage, words } = form.elements;
  return (!kind.value || one.dataset.kind === kind.value)
    && (!verdict.value || one.dataset.verdict === verdict.value)
    && (!stage.value || one.dataset.stage === stage.value)
    && one.dataset.words.includes(words.value.trim().toLowerCase());
}

function filter() {
  for (const one of cases) one.hidden = !wanted(one);
  const shown = cases.filter((one) => !one.hidden).length;
  told.textContent = `${shown} of ${cases.length} cases`;
  none.hidden = shown > 0;
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const one = named?.closest("details.case");
  if (!one) return;
  one.hidden = false;
  one.open = true;
  named.scrollIntoView();
}

for (const one of cases) {
  const told = one.querySelector(".question").textContent + " " + one.dataset.id + " " + (one.querySelector(".text")?.textContent ?? "");
  one.dataset.words = told.toLowerCase();
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
toggle.addEventListener("click", () => {
  const open = toggle.dataset.open !== "yes";
  for (const one of cases) if (!one.hidden) one.open = open;
  toggle.dataset.open = open ? "yes" : "no";
  toggle.textContent = open ? "Close all" : "Open all";
});
for (const link of document.querySelectorAll("a[data-stage]")) {
  link.addEventListener("click", () => {
    form.reset();
    form.elements.stage.value = link.dataset.stage;
    setTimeout(filter);
  });
}
addEventListener("hashchange", openNamed);
form.hidden = false;
filter();
openNamed();
