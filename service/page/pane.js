/** The pane beside the answer, which on a narrow screen is a sheet over it. */

import { byId, icon } from "./dom.js";

const NARROW = matchMedia("(max-width: 999px)");

/** Shows one thing at a time: a source, or the list of them. */
export class Pane {
  /** `onclose` is called when it closes. */
  constructor(onclose) {
    this.element = byId("pane");
    this.body = byId("pane-body");
    this.title = byId("pane-title");
    this.opener = null;
    this.onclose = onclose;
    byId("pane-close").append(icon("close"));
    byId("pane-close").addEventListener("click", () => this.close());
    byId("veil").addEventListener("click", () => this.close());
    NARROW.addEventListener("change", () => this.fit());
    this.element.addEventListener("keydown", (event) => this.keepFocus(event));
  }

  get open() {
    return !this.element.hidden;
  }

  /** Open under a heading; `opener` gets the focus back in the end. */
  show({ title, meta = [], tools = [], body = [], kind, opener = null }) {
    if (opener || !this.open) this.opener = opener;
    this.title.textContent = title;
    this.element.dataset.kind = kind;
    byId("pane-meta").replaceChildren(...meta);
    byId("pane-tools").replaceChildren(...tools);
    this.body.replaceChildren(...body);
    this.body.scrollTop = 0;
    this.element.hidden = false;
    this.fit();
  }

  /** Close, and give the focus back. */
  close() {
    if (!this.open) return;
    this.element.hidden = true;
    this.fit();
    this.onclose();
    const opener = this.opener?.isConnected ? this.opener : byId("question");
    this.opener = null;
    opener.focus({ preventScroll: NARROW.matches });
  }

  /** A sheet keeps all else out of reach. */
  fit() {
    const sheet = this.open && NARROW.matches;
    byId("main").inert = sheet;
    byId("bar").inert = sheet;
    byId("veil").hidden = !sheet;
    document.documentElement.classList.toggle("with-sheet", sheet);
    document.documentElement.classList.toggle("with-pane", this.open);
    for (const [name, value] of [["role", "dialog"], ["aria-modal", "true"]]) {
      if (sheet) this.element.setAttribute(name, value);
      else this.element.removeAttribute(name);
    }
  }

  /** In a sheet the Tab key goes round. */
  keepFocus(event) {
    if (event.key !== "Tab" || !NARROW.matches) return;
    const stops = [...this.element.querySelectorAll("a[href], button:not(:disabled), input, summary, [tabindex='0']")];
    const shown = stops.filter((stop) => stop.getClientRects().length);
    const [first, last] = [shown[0], shown.at(-1)];
    const inside = shown.includes(document.activeElement);
    if (inside && document.activeElement !== (event.shiftKey ? first : last)) return;
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  }
}
