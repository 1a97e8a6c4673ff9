/** The page: binds its parts together. */

import { places } from "./answer.js";
import { connection, fetchJson, request } from "./api.js";
import { showCards } from "./card.js";
import { button, byId, counted, icon, make } from "./dom.js";
import { problemView } from "./notices.js";
import { Pane } from "./pane.js";
import { Reader } from "./reader.js";
import { SourceList, examplesFrom } from "./sources.js";
import { Thread, addressOfQuestions } from "./thread.js";

const MOST_LINKED = 20;
const CHECK_EVERY = 3000;

const pane = new Pane(() => reader.leave());
const reader = new Reader(pane);
const list = new SourceList(pane, reader);
const thread = new Thread(drawState, edit);
const box = byId("question");

// ---- asking ----------------------------------------------------------------------------------

function drawState() {
  const begun = thread.turns.length > 0;
  document.documentElement.classList.toggle("begun", begun);
  byId("welcome").hidden = begun;
  byId("examples").hidden = begun || !byId("example-list").children.length;
  byId("anew").hidden = !begun;
  box.placeholder = begun ? "Ask a follow-up" : "Ask a question";
  byId("send").replaceChildren(icon(thread.busy ? "stop" : "up"));
  byId("send").setAttribute("aria-label", thread.busy ? "Stop" : "Ask");
  document.title = begun ? `${thread.questions[0]} · Whosays` : "Whosays";
}

function submit(event) {
  event.preventDefault();
  const question = box.value.trim();
  if (thread.busy) thread.stop();
  else if (question) put(question);
}

function put(question) {
  box.value = "";
  fitBox();
  const asked = thread.ask(question);
  history.pushState(null, "", addressOfQuestions(thread.questions.slice(0, MOST_LINKED)));
  return asked;
}

/** Put a question back into the box. */
function edit(question) {
  history.replaceState(null, "", thread.questions.length ? addressOfQuestions(thread.questions) : location.pathname);
  box.value = question;
  fitBox();
  box.focus();
}

function anew() {
  thread.keep(0);
  pane.close();
  history.pushState(null, "", location.pathname);
  box.focus();
}

function fitBox() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

// ---- addresses -------------------------------------------------------------------------------

/** Show what the address names: questions to ask, or a span of a source. */
async function follow() {
  const named = new URLSearchParams(location.hash.slice(1));
  if (named.has("source")) {
    const [start, end] = ["start", "end"].map((name) => Math.max(0, Number.parseInt(named.get(name), 10) || 0));
    await reader.show({ source: named.get("source"), start, end });
    return;
  }
  const questions = named.getAll("q").filter((question) => question.trim()).slice(0, MOST_LINKED);
  const same = questions.findIndex((question, index) => question !== thread.questions[index]);
  thread.keep(same < 0 ? questions.length : same);
  for (const question of questions.slice(thread.turns.length)) await thread.ask(question);
}

// ---- citations -------------------------------------------------------------------------------

function openPlace(event) {
  const link = event.target.closest("a");
  const place = link && places.get(link);
  if (!place || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  reader.show(place, link);
}

function step(by) {
  if (reader.step(by)) return true;
  const chips = [...(thread.lastCited?.querySelectorAll("a.chip") ?? [])];
  const chip = chips.at(by > 0 ? 0 : -1);
  if (!chip) return false;
  reader.show(places.get(chip), chip);
  return true;
}

// ---- keys ------------------------------------------------------------------------------------

const KEYS = {
  n: () => step(1),
  ArrowRight: () => step(1),
  p: () => step(-1),
  ArrowLeft: () => step(-1),
  "/": () => box.focus() ?? true,
  "?": () => help() ?? true,
};

function press(event) {
  if (event.key === "Escape") return leave(event);
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (typing || event.metaKey || event.ctrlKey || event.altKey || !byId("keys-on").checked) return;
  if (KEYS[event.key]?.()) event.preventDefault();
}

function leave(event) {
  if (byId("help").open) return;
  if (pane.open) pane.close();
  else if (event.target === box) box.blur();
}

function help() {
  byId("help").showModal();
}

// ---- colours ---------------------------------------------------------------------------------

const DARK = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : DARK.matches;
}

function drawTheme() {
  byId("theme").setAttribute("aria-pressed", String(isDark()));
}

function turnTheme() {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  keep("whosays.theme", chosen);
  drawTheme();
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

// ---- the start -------------------------------------------------------------------------------

async function greet() {
  try {
    const { total, sources } = await fetchJson("v1/sources?limit=24");
    byId("lead").textContent = `Answers from ${counted(total, "source")}; every sentence points at the exact words.`;
    byId("list").replaceChildren("Sources", make("span", { class: "badge" }, total.toLocaleString("en")));
    const questions = examplesFrom(sources.map((source) => source.title).filter(Boolean));
    byId("example-list").replaceChildren(...questions.map((question) =>
      make("li", {}, button(question, () => put(question), { class: "example", dir: "auto" })),
    ));
    byId("welcome").querySelector(".problem")?.remove();
  } catch (error) {
    byId("welcome").querySelector(".problem")?.remove();
    byId("welcome").append(problemView(error, greet));
  }
  drawState();
}

let checking = 0;

function showLost() {
  byId("offline").replaceChildren(
    make("b", {}, "Offline. "),
    `Nothing answers at ${location.host}; this page keeps trying.`,
  );
  byId("offline").hidden = false;
  clearInterval(checking);
  checking = setInterval(() => request("healthz").catch(() => {}), CHECK_EVERY);
}

function showBack() {
  clearInterval(checking);
  byId("offline").hidden = true;
  if (!thread.turns.length) greet();
}

function bind() {
  byId("theme").append(icon("dark"));
  byId("keys").append(icon("help"));
  byId("ask").addEventListener("submit", submit);
  byId("anew").addEventListener("click", anew);
  byId("list").addEventListener("click", (event) => list.show(event.currentTarget));
  byId("theme").addEventListener("click", turnTheme);
  byId("keys").addEventListener("click", help);
  byId("keys-on").checked = kept("whosays.keys") !== "off";
  byId("keys-on").addEventListener("change", (event) => keep("whosays.keys", event.target.checked ? "on" : "off"));
  DARK.addEventListener("change", drawTheme);
  box.addEventListener("input", fitBox);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  for (const [id, act] of [["skip", () => box.focus()], ["brand", anew]]) {
    byId(id).addEventListener("click", (event) => {
      event.preventDefault();
      act();
    });
  }
  document.addEventListener("click", openPlace);
  document.addEventListener("keydown", press);
  connection.addEventListener("lost", showLost);
  connection.addEventListener("back", showBack);
  addEventListener("popstate", follow);
}

bind();
showCards();
drawTheme();
drawState();
greet();
follow();
if (!location.hash && matchMedia("(hover: hover)").matches) box.focus();
