/** The conversation: questions and their answers, the newest last. */

import { answerView, nameOf, streamedText } from "./answer.js";
import { Problem, ask } from "./api.js";
import { asMarkdown, asText, copyText } from "./copy.js";
import { announce, button, byId, counted, make } from "./dom.js";
import { problemView, skeleton } from "./notices.js";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

/** The address that asks these questions one after the other. */
export function addressOfQuestions(questions) {
  return `#${questions.map((question) => `q=${encodeURIComponent(question)}`).join("&")}`;
}

/** Asks, and shows what comes back; `onchange` is called when a question begins or ends, `onedit` to change one. */
export class Thread {
  constructor(onchange, onedit) {
    this.turns = [];
    this.onchange = onchange;
    this.onedit = onedit;
    this.made = 0;
  }

  get busy() {
    return this.turns.some((turn) => turn.stop);
  }

  get questions() {
    return this.turns.map((turn) => turn.question);
  }

  /** The last answer that has citations, as the element that shows it. */
  get lastCited() {
    return this.turns.findLast((turn) => turn.answer?.citations.length)?.element ?? null;
  }

  /** Ask a question; ends when its answer, or its problem, is shown. */
  async ask(question) {
    const turn = { question, rewritten: null, answer: null, stop: null };
    this.turns.push(turn);
    turn.element = this.article(turn);
    byId("thread").append(turn.element);
    await this.run(turn);
  }

  /** Stop what is being answered. */
  stop() {
    this.turns.forEach((turn) => turn.stop?.abort());
  }

  /** Keep only the first turns. */
  keep(count) {
    this.turns.splice(count).forEach((turn) => {
      turn.stop?.abort();
      turn.element.remove();
    });
    this.onchange();
  }

  async run(turn) {
    const stop = new AbortController();
    Object.assign(turn, { stop, rewritten: null, answer: null });
    turn.foot.hidden = true;
    turn.reply.setAttribute("aria-busy", "true");
    this.wait(turn, "Looking through the sources");
    this.onchange();
    toTop(turn.element);
    try {
      for await (const { name, data } of ask(turn.question, this.before(turn), stop.signal)) {
        if (stop.signal.aborted) break;
        this.take(turn, name, data);
      }
    } catch (error) {
      this.fail(turn, error);
    } finally {
      if (turn.stop === stop) turn.stop = null;
      turn.reply.removeAttribute("aria-busy");
      this.onchange();
    }
  }

  /** The turns before one, as the service wants them. */
  before(turn) {
    const earlier = this.turns.slice(0, this.turns.indexOf(turn));
    return earlier.filter(({ answer }) => answer).map(({ question, answer }) => ({ question, answer: answer.text }));
  }

  take(turn, name, data) {
    if (name === "question") {
      turn.rewritten = data.question;
      turn.note.replaceChildren("Read as: ", make("q", { dir: "auto" }, data.question));
      turn.note.hidden = false;
    } else if (name === "hits") {
      const sources = new Set(data.map((hit) => hit.source)).size;
      if (data.length) this.wait(turn, `Reading ${counted(data.length, "passage")} of ${counted(sources, "source")}`);
    } else if (name === "token") {
      turn.text += data.text;
      turn.reply.replaceChildren(streamedText(turn.text));
    } else if (name === "answer") {
      this.finish(turn, data);
    }
  }

  wait(turn, stage) {
    turn.text = "";
    turn.reply.replaceChildren(make("p", { class: "stage" }, stage), skeleton(3));
    announce(stage);
  }

  finish(turn, answer) {
    turn.answer = answer;
    turn.reply.replaceChildren(answerView(answer));
    turn.meta.textContent = metaOf(answer);
    turn.foot.hidden = false;
    const sources = new Set(answer.citations.map(nameOf)).size;
    const borne = sources ? ` ${counted(answer.citations.length, "citation")} from ${counted(sources, "source")}.` : "";
    const lead = answer.outcome === "disputed" ? "The sources disagree. " : "";
    announce(`${lead}${answer.text.replaceAll(/\s*\[\d+\]/g, "")}${borne}`);
  }

  fail(turn, error) {
    const again = () => this.run(turn);
    const aborted = error.name === "AbortError";
    if (aborted) announce("Stopped.");
    const known = error instanceof Problem ? error : unexpected(error);
    const unfit = known.status === 413 || known.status === 422;
    const edit = () => {
      this.keep(this.turns.indexOf(turn));
      this.onedit(turn.question);
    };
    turn.reply.replaceChildren(
      aborted
        ? make("p", { class: "notice" }, "Stopped. ", button("Ask again", again, { class: "plain" }))
        : problemView(known, unfit ? edit : again, unfit ? "Edit the question" : "Try again"),
    );
  }

  article(turn) {
    const id = `turn-${(this.made += 1)}`;
    turn.note = make("p", { class: "rewritten", hidden: true });
    turn.reply = make("div", { class: "reply" });
    turn.meta = make("span", { class: "turn-meta" });
    turn.foot = make("footer", { class: "turn-foot", hidden: true }, this.actions(turn), turn.meta);
    const heading = make("h2", { class: "question", id, tabindex: "-1", dir: "auto" }, turn.question);
    return make("article", { class: "turn", "aria-labelledby": id }, heading, turn.note, turn.reply, turn.foot);
  }

  actions(turn) {
    const copying = (text, made) =>
      button(text, async (event) => {
        const told = event.currentTarget;
        const done = await copyText(made());
        told.textContent = done ? "Copied" : "Not copied";
        announce(told.textContent);
        setTimeout(() => (told.textContent = text), 1600);
      });
    const address = () => {
      const asked = this.questions.slice(0, this.turns.indexOf(turn) + 1);
      return new URL(addressOfQuestions(asked), location.href).href;
    };
    return make(
      "div",
      { class: "actions", role: "group", "aria-label": "This answer" },
      copying("Copy text", () => asText(turn)),
      copying("Copy Markdown", () => asMarkdown(turn)),
      copying("Copy link", address),
      button("Print", () => window.print()),
    );
  }
}

function metaOf({ model, confidence, timings_ms: timings, outcome }) {
  const sure = outcome === "not_in_sources" ? null : `confidence ${Math.floor(confidence * 100)} %`;
  const took = timings.total === undefined ? null : `${(timings.total / 1000).toFixed(1)} s`;
  return [model, sure, took].filter(Boolean).join(" · ");
}

function unexpected(error) {
  console.error(error);
  return { title: "The page failed", detail: String(error), hint: "Load the page anew." };
}

function toTop(element) {
  element.scrollIntoView({ block: "start", behavior: CALM.matches ? "auto" : "smooth" });
}
