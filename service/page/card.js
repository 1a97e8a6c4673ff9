/** The card that shows a citation's quote while its chip is pointed at or has the focus. */

import { nameOf, places, placeOf, quoted } from "./answer.js";
import { byId, make } from "./dom.js";

const DELAY = 120;
const GAP = 8;

/** Show cards for all chips that there are and will be. */
export function showCards() {
  const card = byId("card");
  const pointed = matchMedia("(hover: hover)");
  let timer = 0;
  let shown = null;

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  };
  const show = (chip) => {
    clearTimeout(timer);
    if (shown === chip || !chip.isConnected) return;
    hide();
    shown = chip;
    fill(card, places.get(chip));
    chip.setAttribute("aria-describedby", "card");
    place(card, chip);
  };
  const chipAt = (event) => event.target.closest?.("a.chip");

  document.addEventListener("mouseover", (event) => {
    if (!pointed.matches) return;
    const chip = chipAt(event);
    clearTimeout(timer);
    if (chip) timer = setTimeout(show, DELAY, chip);
    else if (shown && !card.contains(event.target)) timer = setTimeout(hide, DELAY);
  });
  document.addEventListener("focusin", (event) => {
    const chip = chipAt(event);
    if (chip?.matches(":focus-visible")) show(chip);
    else hide();
  });
  document.addEventListener("click", hide);
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !shown) return;
    hide();
    event.stopPropagation();
  }, true);
}

function fill(card, place) {
  card.replaceChildren(
    make("p", { class: "card-quote", dir: "auto" }, quoted(place.quote, place.words)),
    make("p", { class: "card-source" }, make("b", { dir: "auto" }, nameOf(place)), make("span", {}, placeOf(place))),
  );
}

function place(card, chip) {
  card.hidden = false;
  const at = chip.getClientRects()[0];
  const { width, height } = card.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, at.left + at.width / 2 - width / 2), innerWidth - width - GAP);
  const above = at.top - height - GAP;
  card.style.left = `${left}px`;
  card.style.top = `${above >= GAP ? above : at.bottom + GAP}px`;
}
