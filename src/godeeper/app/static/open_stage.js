// Tells Python which row, class or drawn stage was opened. They are real buttons, so the keyboard opens them as well.
element.addEventListener('click', event => {
  const chosen = event.target.closest('[data-open], [data-stage]');
  if (!chosen) return;
  for (const other of element.querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
  if (chosen.dataset.open) chosen.setAttribute('aria-current', 'true');
  window.godeeperOpened = true;
  trigger('click', { open: chosen.dataset.open || chosen.dataset.stage });
});
