// Puts each interactive piece of a page in the place of its still image, which stays where scripts do not run.
import { element } from "./elements.js";
import { reduction } from "./reduction.js";
import { crops } from "./crops.js";
import { scaling } from "./scaling.js";
import { blocks } from "./blocks.js";

const PIECES = { reduction, crops, scaling, "inception-v4": blocks };

for (const place of document.querySelectorAll(".gd-interactive")) {
  const data = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  const piece = element("section", { class: `gd-piece gd-${place.dataset.piece}`, "aria-label": data.words.title });
  PIECES[place.dataset.piece](piece, data);
  piece.prepend(element("h4", {}, data.words.title));
  place.replaceChildren(piece);
}
