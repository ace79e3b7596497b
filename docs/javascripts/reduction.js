// The channels r that the 1x1 before the 5x5 leaves, and what the branch and the whole module then cost.
import { bar, choice, element, filled, slider } from "./elements.js";

// Multiply-adds of a module by its Table 1 columns; `r5` null: the 5x5 reads the input itself.
export function cost({ inputs, places, c1, r3, c3, c5, proj }, r5) {
  const five = r5 === null ? 25 * inputs * c5 : inputs * r5 + 25 * r5 * c5;
  const others = inputs * (c1 + r3 + proj) + 9 * r3 * c3;
  return { branch: places * five, module: places * (five + others) };
}

export function reduction(piece, { modules, words }) {
  const rows = element("div", { class: "gd-rows" });
  const verdict = element("p", { class: "gd-verdict", "aria-live": "polite" });
  let module = modules[0];
  const millions = (count) => `${(count / 1e6).toFixed(1)} M`;

  function show(r) {
    const now = cost(module, r), direct = cost(module, null);
    const most = Math.max(direct.module, cost(module, module.inputs).module);
    rows.replaceChildren(
      bar(words.branch, now.branch / most, millions(now.branch), "blue"),
      bar(words.branch_direct, direct.branch / most, millions(direct.branch), "orange"),
      bar(words.module, now.module / most, millions(now.module), "blue"),
      bar(words.module_direct, direct.module / most, millions(direct.module), "orange"),
    );
    const share = now.branch / direct.branch;
    verdict.textContent = filled(share < 1 ? words.saves : words.costs, { percent: Math.round(Math.abs(1 - share) * 100) });
  }

  const range = slider(words.channels, { min: 1, max: module.inputs, value: module.r5 }, show);
  const names = modules.map(({ name }) => [name, name]);
  const chosen = choice(words.which, names, module.name, (name) => {
    module = modules.find((one) => one.name === name);
    range.input.max = module.inputs;
    range.input.value = module.r5;
    range.update();
  });
  const back = element("button", { type: "button", onclick: () => { range.input.value = module.r5; range.update(); } }, words.printed);
  piece.append(element("div", { class: "gd-controls" }, chosen.label, back), range.label, rows, verdict);
  range.update();
}
