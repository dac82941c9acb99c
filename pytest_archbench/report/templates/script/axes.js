// Axes and frames of panels: limits, marks, captions, in the terms of the drawing library. Draws nothing.

const MARGIN = { l: 58, r: 16, t: 10, b: 46 };
const LINE_HEIGHT = 17;

const toAxis = (log, value) => (log ? Math.log10(value) : value);
const fromAxis = (log, value) => (log ? 10 ** value : value);

const drawable = (axis, row) => {
  const value = valueOf(axis.column, row);
  return value !== null && (!axis.log || value > 0);
};

// [low, high] on the axis (decades where it is logarithmic) that leaves `before` and `after` pixels of `length` free.
function limits(axis, all, length, before, after) {
  return around(axis, all.filter((row) => drawable(axis, row)).map((row) => toAxis(axis.log, inUnit(axis.column, row))), length, before, after);
}

// The same of values on the axis.
function around(axis, values, length, before, after) {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (low > high) return [0, 1];
  const room = Math.max(length - before - after, length / 4);
  const span = high - low || (axis.log ? 0.2 : Math.abs(high) * 0.2 || 1);
  const start = high === low ? low - span / 2 : low;
  return [start - (span * before) / room, start + span + (span * after) / room];
}

// Marks at 1, 2, 5 of each decade, fewer where there is no room; the library's own where less than a decade is in sight.
function ticks(axis, [low, high], most) {
  if (!axis.log) return { tickmode: "auto", nticks: Math.min(9, most), separatethousands: true, exponentformat: "none" };
  const span = Math.abs(high - low);
  if (span < 0.75) return { tickmode: "auto", nticks: Math.min(7, most), tickformat: "~r" };
  const steps = [[1, 2, 5], [1, 3], [1]].find((each) => each.length * span <= Math.min(12, most)) ?? [1];
  const tickvals = [];
  for (let power = Math.floor(Math.min(low, high)); power <= Math.max(low, high); power += 1)
    tickvals.push(...steps.map((step) => Number(`${step}e${power}`)));
  return { tickmode: "array", tickvals, ticktext: tickvals.map((value) => value.toLocaleString("en", { maximumFractionDigits: 9 })) };
}

// `most`: how many marks there is room for; `heading`: its name where it is not that of its column.
function axisLook(axis, range, most, look, more = {}, heading = "") {
  return {
    type: axis.log ? "log" : "linear", range, autorange: false, zeroline: false, automargin: false, fixedrange: false,
    gridcolor: look.line, linecolor: look.line, showline: true, ticks: "outside", tickcolor: look.line, ticklen: 4, tickangle: 0,
    title: { text: literal(axisTitle(heading ? { ...columnOf(axis.column), heading } : columnOf(axis.column))), standoff: 8, font: { size: 12.5 } },
    ...ticks(axis, range, most), ...more,
  };
}

const marksAcross = (view) => Math.max(2, Math.floor((view.width - view.margin.l - view.margin.r) / 46));
const marksUp = (view) => Math.max(2, Math.floor((view.height - view.margin.t - view.margin.b) / 28));

// Lines of text above a panel, inside the picture so that a download has them.
function captions(lines, look, view) {
  const room = view.width - (coarse ? MARGIN.l : 130); // beside the buttons, or below them
  return lines.map(({ title, text }, index) => ({
    xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", xshift: MARGIN.l - view.margin.l, yanchor: "bottom", showarrow: false, align: "left",
    yshift: 3 + (lines.length - 1 - index) * LINE_HEIGHT, text: title ? `<b>${literal(title, Math.floor(room / 7))}</b>` : text,
    font: { size: title ? 13 : 12, color: title ? look.ink : look.muted },
  }));
}

function layout(view, look, lines, xaxis, yaxis) {
  return {
    width: view.width, height: view.height, margin: { ...view.margin, pad: 0 }, showlegend: false, hovermode: "closest",
    dragmode: coarse ? false : "zoom", paper_bgcolor: look.paper, plot_bgcolor: look.paper, hoverlabel: hoverLook(look),
    font: { family: FONT, size: 11.5, color: look.ink }, xaxis, yaxis, annotations: captions(lines, look, view),
    modebar: { bgcolor: "rgba(0,0,0,0)", color: look.muted, activecolor: look.ink }, bargap: 0.22,
  };
}
