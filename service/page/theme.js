// Runs before the page is painted, so that the chosen colours do not flash.
(function () {
  "use strict";
  try {
    const chosen = localStorage.getItem("whosays.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be forbidden; the system's colours are used then.
  }
})();
