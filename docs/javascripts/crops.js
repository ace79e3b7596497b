// The 144 crops of the photograph one by one, what the network says to each, and the votes so far.
import { bar, element, filled, slider } from "./elements.js";

const VIEW = 192; // pixels of the crop that is shown large

export function crops(piece, { image, size: [width, height], crops: all, classes, mean, words }) {
  const photograph = element("img", { src: image, alt: words.photograph, width, height });
  const frame = element("div", { class: "gd-crop-frame" });
  const view = element("canvas", { width: VIEW, height: VIEW, "aria-hidden": "true" });
  const said = element("p", { class: "gd-verdict", "aria-live": "polite" });
  const rows = element("div", { class: "gd-rows" });

  function draw([across, down, left, top, right, bottom, flip]) {
    const scale = width / across, context = view.getContext("2d");
    context.setTransform(flip ? -1 : 1, 0, 0, 1, flip ? VIEW : 0, 0);
    context.drawImage(photograph, left * scale, top * (height / down), (right - left) * scale, (bottom - top) * (height / down), 0, 0, VIEW, VIEW);
    frame.style.cssText = `left: ${(left / across) * 100}%; top: ${(top / down) * 100}%; width: ${((right - left) / across) * 100}%; height: ${((bottom - top) / down) * 100}%`;
  }

  function show(number) {
    const crop = all[number - 1], [across, down, , , , , flip, label, probability] = crop;
    if (photograph.complete) draw(crop);
    const values = { number, side: Math.min(across, down), flipped: flip ? words.flipped : "", label: classes[label], percent: Math.round(100 * probability) };
    said.textContent = filled(words.says, values);
    const votes = new Map();
    for (const [, , , , , , , one] of all.slice(0, number)) votes.set(one, (votes.get(one) ?? 0) + 1);
    const ranked = [...votes].sort(([, a], [, b]) => b - a).slice(0, 5);
    rows.replaceChildren(...ranked.map(([one, count]) => bar(classes[one], count / number, filled(words.votes, { count }), one === best ? "blue" : "orange")));
  }

  const best = mean.indexOf(Math.max(...mean));
  const range = slider(words.crop, { min: 1, max: all.length, value: 1, shown: (number) => `${number} / ${all.length}` }, show);
  const step = (by) => () => { range.input.value = Number(range.input.value) + by; range.update(); };
  const buttons = element("div", { class: "gd-controls" },
    element("button", { type: "button", onclick: step(-1) }, words.before),
    element("button", { type: "button", onclick: step(1) }, words.next),
    element("button", { type: "button", onclick: step(all.length) }, words.all));
  const answer = filled(words.answer, { label: classes[best], percent: (100 * mean[best]).toFixed(1) });
  photograph.addEventListener("load", () => range.update());
  piece.append(
    element("div", { class: "gd-view" }, element("div", { class: "gd-photograph" }, photograph, frame), view),
    range.label, buttons, said, rows, element("p", {}, answer), element("p", { class: "gd-note" }, words.network));
  range.update();
}
