"use strict";
// Reads values at the pointer, and switches series off. Without it the page says the same.

function explain(chart) {
  const columns = [...chart.querySelectorAll(".hit")];
  if (columns.length === 0) return;
  const texts = columns.map((column) => {
    const title = column.querySelector("title");
    title.remove();
    return title.textContent;
  });
  const tip = document.createElement("output");
  tip.className = "tip";
  tip.hidden = true;
  chart.after(tip);
  chart.tabIndex = 0;
  let at = -1;

  function show(index) {
    if (at >= 0) columns[at].classList.remove("at");
    at = index;
    tip.hidden = at < 0;
    if (tip.hidden) return;
    columns[at].classList.add("at");
    tip.textContent = texts[at];
    tip.style.left = 0;
    const plot = chart.parentElement.getBoundingClientRect();
    const column = columns[at].getBoundingClientRect();
    const middle = (column.left + column.right) / 2 - plot.left - tip.offsetWidth / 2;
    const left = Math.max(0, Math.min(middle, plot.width - tip.offsetWidth));
    tip.style.left = `${left}px`;
    tip.style.top = `${chart.getBoundingClientRect().bottom - plot.top + 24}px`;
  }

  chart.addEventListener("pointermove", (event) => {
    show(columns.findIndex((column) => event.clientX <= column.getBoundingClientRect().right));
  });
  chart.addEventListener("pointerleave", () => show(-1));
  chart.addEventListener("blur", () => show(-1));
  chart.addEventListener("keydown", (event) => {
    const last = columns.length - 1;
    const to = {
      ArrowLeft: Math.max(0, at - 1),
      ArrowRight: Math.min(last, at + 1),
      Home: 0,
      End: last,
      Escape: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

function choose(legend) {
  legend.removeAttribute("aria-hidden");
  for (const item of legend.children) {
    const series = item.dataset.series;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      const off = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!off));
      for (const shape of legend.parentElement.querySelectorAll(`.chart .${series}`)) {
        shape.classList.toggle(`off-${series}`, off);
      }
    });
  }
}

document.querySelectorAll(".chart").forEach(explain);
document.querySelectorAll(".legend").forEach(choose);
