"""How the page looks, and the few lines of JavaScript that tell Python which row was opened."""

STYLE = """
.gradio-container {
  width: 100%; max-width: 1320px !important; min-width: 0 !important; margin: 0 auto !important;
  .main, .wrap, .contain, .tabs, .row, .row > *, .column, .block { min-width: 0 !important; }
  #lang { flex: none; align-self: center; width: 12rem; }
  h1 { font-size: 1.5rem; margin: 0; }
  h1 small { font-weight: 400; font-size: 1rem; opacity: 0.7; margin-left: 0.6rem; }
  h3 { font-size: 1rem; margin: 0.9rem 0 0.4rem; }
  .note { opacity: 0.8; margin: 0.5rem 0; overflow-wrap: anywhere; }
  .scroll { overflow-x: auto; max-width: 100%; }
  .scroll table { border-collapse: collapse; width: 100%; font-size: 0.87rem; font-variant-numeric: tabular-nums; }
  .scroll table, .scroll tr, .scroll tbody { border: 0; }
  .scroll th { white-space: normal; vertical-align: bottom; }
  .scroll th, .scroll td { padding: 0.15rem 0.45rem; text-align: left; border: 0;
    border-bottom: 1px solid var(--border-color-primary); }
  .scroll td { white-space: nowrap; }
  .scroll .number { text-align: right; }
  .scroll .words { white-space: normal; min-width: 9rem; }
  .drawing + .scroll { margin-top: 0.8rem; }
  #samples .grid-wrap { height: auto !important; min-height: 0 !important; }
  #samples .grid-container { padding: 0; }
  #samples .thumbnail-item { aspect-ratio: auto; height: 6.5rem; }
  #samples label { position: static; display: inline-flex; margin-bottom: 0.4rem; }
  .drawing { overflow-x: auto; max-width: 100%; }
  .drawing svg, .drawing img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
  .drawing img { border-radius: 0.5rem; }
  .drawing [data-stage] { cursor: pointer; }
  button.open { cursor: pointer; background: none; border: 0; padding: 0.1rem 0.5rem; border-radius: 0.4rem; font: inherit;
    color: var(--link-text-color); text-align: left; min-height: 1.8rem; }
  button.open:hover, button.open[aria-current] { background: var(--color-accent-soft); }
  button:focus-visible, label:has(input:focus-visible), .scroll:focus-visible {
    outline: 2px solid var(--color-accent); outline-offset: 1px; }
  .answer { display: grid; gap: 0.3rem; }
  .answer button.open { display: grid; grid-template-columns: minmax(6rem, 40%) 1fr 4.2rem; gap: 0.6rem; align-items: center;
    width: 100%; color: inherit; }
  .answer .name { overflow-wrap: anywhere; }
  .answer .percent { text-align: right; font-variant-numeric: tabular-nums; }
  .bar { height: 0.7rem; border-radius: 0.35rem; background: var(--border-color-primary); overflow: hidden; display: block; }
  .bar span { display: block; height: 100%; background: var(--color-accent); }
  .legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; padding: 0; margin: 0 0 0.5rem; }
  .legend li { list-style: none; margin: 0; }
  .dot { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 0.2rem; margin-right: 0.4rem; }
  .counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 0.5rem; margin: 0 0 0.6rem; }
  .counts div { border: 1px solid var(--border-color-primary); border-radius: 0.5rem; padding: 0.4rem 0.6rem; }
  .counts dt { font-size: 0.8rem; opacity: 0.75; }
  .counts dd { margin: 0; font-variant-numeric: tabular-nums; }
  .erratum { color: #b35900; } .unexplained { color: #8250df; } .reproduced { color: #1a7f37; }
  footer { display: none !important; }
  @media (max-width: 700px) {
    .row { flex-direction: column; align-items: stretch; }
    .row > * { width: 100% !important; flex-basis: auto !important; }
    .tab-container button { padding: 0.3rem 0.55rem; }
    .drawing svg { min-width: 480px; }
    .drawing img { min-width: 760px; }
    .answer button.open { grid-template-columns: minmax(5rem, 38%) 1fr 4rem; gap: 0.4rem; }
  }
}
.dark .gradio-container {
  .erratum { color: #f0a35e; } .unexplained { color: #c8a2ff; } .reproduced { color: #6fd08c; }
}
"""

OPEN = """
element.addEventListener('click', event => {
  const chosen = event.target.closest('[data-open], [data-stage]');
  if (!chosen) return;
  for (const other of element.querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
  if (chosen.dataset.open) chosen.setAttribute('aria-current', 'true');
  window.godeeperOpened = true;
  trigger('click', { open: chosen.dataset.open || chosen.dataset.stage });
});
"""  # real buttons, so the keyboard opens them as well

SHOW = """
watch('value', () => {
  if (window.godeeperOpened && window.innerWidth <= 700) element.scrollIntoView({ behavior: 'smooth' });
  window.godeeperOpened = false;
});
"""  # where the page is narrow, what was opened is below
