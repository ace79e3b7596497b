// A network's drawing whose blocks open: by a click, or by Enter or Space on the block that has the focus.
import { element } from "./elements.js";

export function blocks(piece, { whole, drawings, words }) {
  const map = element("div", { class: "gd-whole" });
  map.innerHTML = whole; // our own drawing, from the page itself
  map.firstElementChild.removeAttribute("role"); // no image any more: it has buttons inside
  const opened = element("div", { class: "gd-opened", "aria-live": "polite", tabindex: "-1" }, element("p", {}, words.hint));
  const groups = [...map.querySelectorAll("g[data-stage]")].filter((group) => drawings[group.dataset.stage]);

  function open(group) {
    for (const one of groups) one.setAttribute("aria-pressed", String(one === group));
    opened.innerHTML = drawings[group.dataset.stage];
    opened.dataset.stage = group.dataset.stage;
  }

  for (const group of groups) {
    for (const [name, value] of Object.entries({ tabindex: "0", role: "button", "aria-pressed": "false", "aria-label": group.querySelector("title").textContent })) group.setAttribute(name, value);
    group.addEventListener("click", () => open(group));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        open(group);
      }
    });
  }
  piece.append(element("div", { class: "gd-pair" }, map, opened));
}
