/** Elements without HTML: whatever is given as text stays text. */

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  close: "M5 5l14 14M19 5L5 19",
  next: "M9 5l7 7-7 7",
  previous: "M15 5l-7 7 7 7",
  up: "M12 20V5M5 11.5L12 4.5l7 7",
  stop: "M6.5 6.5h11v11h-11z",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  help: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM9.6 9.6a2.4 2.4 0 1 1 3.5 2.1c-.8.4-1.1.9-1.1 1.8M12 16.6v.1",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1",
};

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** An element with properties and children; `onclick` and its like are listeners, all else attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A line drawing by name; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with a text, quiet unless said otherwise. */
export function button(text, onclick, properties = {}) {
  return make("button", { type: "button", class: "quiet", onclick, ...properties }, text);
}

/** A square button that shows a drawing and is called `label`. */
export function iconButton(name, label, onclick, properties = {}) {
  return make(
    "button",
    { type: "button", class: "quiet square", "aria-label": label, title: label, onclick, ...properties },
    icon(name),
  );
}

/** Say something to those who listen to the page; nothing of it is seen. */
export function announce(text) {
  byId("status").textContent = text;
}

/** "1 source", "5,000 sources". */
export function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
