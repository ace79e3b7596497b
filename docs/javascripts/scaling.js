// The scale of the residuals, and the measured spread of the last layer's activations in the first steps of training.
import { bar, choice, element, filled, slider } from "./elements.js";

export function scaling(piece, { runs, words }) {
  const columns = element("div", { class: "gd-columns" });
  const message = element("p", { class: "gd-verdict", "aria-live": "polite" });
  const values = (name) => [...new Set(runs.map((run) => run[name]))];
  const scales = values("scale"), most = Math.max(...runs.flatMap(({ deviation }) => deviation));
  const chosen = { filters: Math.max(...values("filters")), rate: Math.max(...values("rate")) };

  function column(title, steps, numbers, largest, shown, colour) {
    const rows = numbers.map((value, index) => bar(filled(words.step, { step: steps[index] }), value / largest, shown(value), colour));
    return element("div", {}, element("h5", {}, title), ...rows);
  }

  function show(index) {
    const scale = scales[index];
    const run = runs.find((each) => each.scale === scale && each.filters === chosen.filters && each.rate === chosen.rate);
    columns.replaceChildren(
      column(words.deviation, run.step, run.deviation, most, (value) => value.toFixed(2), "blue"),
      column(words.dead, run.step, run.dead, 100, (value) => `${value.toFixed(0)} %`, "orange"));
    const ends = { first: run.deviation[0].toFixed(2), last: run.deviation.at(-1).toFixed(2), dead: run.dead.at(-1).toFixed(0) };
    message.textContent = filled(words.says, { scale, ...ends });
  }

  const range = slider(words.scale, { min: 0, max: scales.length - 1, value: scales.length - 1, shown: (index) => String(scales[index]) }, show);
  const choices = [["filters", words.filters], ["rate", words.rate]].map(([name, label]) =>
    choice(label, values(name).map((value) => [value, value]), chosen[name], (value) => {
      chosen[name] = Number(value);
      range.update();
    }).label);
  piece.append(element("div", { class: "gd-controls" }, ...choices), range.label, message, columns, element("p", { class: "gd-note" }, words.note));
  range.update();
}
