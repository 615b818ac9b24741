"use strict";
// Replaces what has changed; a box keeps how far it was scrolled, and the focus.
const replacePart = (old, fresh) => {
  if (old.outerHTML === fresh.outerHTML) return;
  const boxes = (part) => [...part.querySelectorAll("[tabindex], a")];
  const before = boxes(old), focused = before.indexOf(document.activeElement);
  const scrolled = before.map((box) => [box.scrollLeft, box.scrollTop]);
  old.replaceWith(fresh);
  boxes(fresh).forEach((box, i) => { [box.scrollLeft, box.scrollTop] = scrolled[i] || [0, 0]; });
  if (focused >= 0) boxes(fresh)[focused]?.focus({ preventScroll: true });
};
