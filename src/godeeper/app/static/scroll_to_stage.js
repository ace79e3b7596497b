// On a narrow screen, what was opened is below: scroll there.
watch('value', () => {
  if (window.godeeperOpened && window.innerWidth <= 700) element.scrollIntoView({ behavior: 'smooth' });
  window.godeeperOpened = false;
});
