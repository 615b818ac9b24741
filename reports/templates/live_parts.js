"use strict";
// Replaces what has changed; a box keeps how far it was scrolled, and the focus.
const replacePart = (old, fresh) => {
  if (old.outerHTML === fresh.outerHTML) return;
  const boxes = (part) => [...part.querySelectorAll("[tabindex], a")];
  const before = boxes(old), focused = before.indexOf(document.activeElement);
  const scrolled = before.map((box) => [box.scrollLeft, box.scrollTop]);
  const spoken = old.querySelector(":scope > [role=status]");
  if (spoken) keepSpoken(old, fresh, spoken); else old.replaceWith(fresh);
  const after = boxes(spoken ? old : fresh);
  after.forEach((box, i) => { [box.scrollLeft, box.scrollTop] = scrolled[i] || [0, 0]; });
  if (focused >= 0) after[focused]?.focus({ preventScroll: true });
};
// A screen reader says what changes in a status that stays: nothing of a new one.
const keepSpoken = (old, fresh, spoken) => {
  const said = fresh.querySelector(":scope > [role=status]");
  if (spoken.innerHTML !== said.innerHTML) spoken.replaceChildren(...said.childNodes);
  Object.assign(old.dataset, fresh.dataset);
  while (old.lastChild !== spoken) old.lastChild.remove();
  while (said.nextSibling) old.append(said.nextSibling);
};
