// Small helpers that every piece uses: elements, sliders, bars, numbers.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A labelled range input, which arrow keys move; `changed` is called with its number, now and at every change.
export function slider(words, { min, max, value, step = 1, shown = String }, changed) {
  const output = element("output", {}, shown(value));
  const input = element("input", { type: "range", min, max, step, value });
  const update = () => {
    output.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    changed(Number(input.value));
  };
  input.addEventListener("input", update);
  const label = element("label", { class: "gd-slider" }, element("span", {}, words, " ", output), input);
  return { label, input, update };
}

export function choice(words, options, value, changed) {
  const select = element("select", { onchange: () => changed(select.value) });
  for (const [name, shown] of options) select.append(element("option", { value: name }, shown));
  select.value = value;
  return { label: element("label", { class: "gd-choice" }, words, " ", select), select };
}

// A row with a name, a bar of `share` (0 to 1) of the width, and what it says.
export function bar(name, share, said, colour = "blue") {
  const length = `${Math.max(0, Math.min(1, share)) * 100}%`;
  const filled = element("span", { class: `gd-filled gd-bar-${colour}`, style: `width: ${length}` });
  return element("div", { class: "gd-row" }, element("span", { class: "gd-name" }, name), element("span", { class: "gd-track" }, filled), element("span", { class: "gd-said" }, said));
}

export function filled(form, values) {
  return form.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
