// Draws the charts of a page from the JSON next to them, in the colours of report.css.
"use strict";
(() => {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Plotly takes some tags in texts for markup; here nobody else's text has any.
  const plain = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/\n/g, "<br>");
  const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

  function traces(spec) {
    return spec.lines.map((line, index) => {
      const ink = colour(`--arm-${(line.arm ?? index) % 6}`);
      const marks = line.marks ?? [];
      const size = line.x.map((_, i) => (marks.includes(i) ? 14 : 6));
      const symbol = line.x.map((_, i) => (marks.includes(i) ? "diamond" : "circle"));
      const trace = {
        type: spec.kind === "bar" ? "bar" : "scatter", name: plain(line.name), x: line.x, y: line.y,
        text: line.text?.map(plain), hovertemplate: "%{text}<extra></extra>", mode: line.mode ?? "lines+markers",
        line: { color: ink, dash: spec.lines.length > 1 ? dashes[(line.arm ?? index) % 6] : "solid" },
        marker: spec.kind === "bar" ? { color: ink } : { color: ink, size, symbol },
      };
      if (!line.text) delete trace.hovertemplate;
      if (line.low) {
        const above = line.y.map((y, i) => (line.high[i] ?? y) - y);
        const below = line.y.map((y, i) => y - (line.low[i] ?? y));
        trace.error_y = { array: above, arrayminus: below, symmetric: false, thickness: 1, width: 0 };
      }
      return trace;
    });
  }

  function draw(script) {
    const spec = JSON.parse(script.textContent);
    const axis = {
      color: colour("--soft"), gridcolor: colour("--rule"), zerolinecolor: colour("--rule"),
      automargin: true, fixedrange: true,
    };
    const named = part => part?.title ? { ...axis, ...part, title: { text: plain(part.title) } } : { ...axis, ...part };
    const shapes = (spec.verticals ?? []).map(x => ({
      type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
      line: { color: colour("--ink"), width: 2, dash: "dot" },
    }));
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", shapes,
      font: { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily },
      margin: { l: 8, r: 8, t: 8, b: 8 }, dragmode: false, showlegend: spec.lines.length > 1,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: named(spec.x), yaxis: named(spec.y),
    };
    const place = document.getElementById(script.dataset.chart);
    Plotly.react(place, traces(spec), layout, { displayModeBar: false, responsive: true });
  }

  function drawAll() {
    const all = document.querySelectorAll("script[data-chart]");
    // All of them take their place before the first one is measured.
    all.forEach(script => { script.closest("figure").hidden = false; });
    all.forEach(draw);
  }
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
