// What a panel shows, as the drawing library wants it: balls, lines or bars, and where each mark stands. Draws nothing.

const MOST_BARS = 80;
const ROW = { screen: { height: 17, text: 11.5 }, paper: { height: 11, text: 8.5 } }; // 80 bars fit on a page
const TOUCHED = 26; // pixels above a panel for buttons that stay in sight
const MOST_NAMED = 500; // candidates for a name: far more than find room
const DOT = 4.2;
const SMALLEST_BALL = 1.8; // pixels of a radius below which nothing is seen
const OTHER = { fill: "#9aa1ab", edge: "#ffffff" };

const styleOf = (row) => data.styles[rows.family[row]] ?? OTHER;

// Solid for what was measured here, hollow beside it for what others published.
function marker(points, look) {
  const edge = (row) => (styleOf(row).edge === OTHER.edge ? look.paper : look.ink);
  return {
    color: points.map(({ row }) => styleOf(row).fill),
    symbol: points.map(({ row }) => (isHollow(row) ? "circle-open" : "circle")),
    opacity: 0.85,
    line: {
      color: points.map(({ row }) => (isHollow(row) ? styleOf(row).fill : edge(row))),
      width: points.map(({ row, radius }) => (isHollow(row) ? 1.7 : Math.min(1, radius / 6))),
    },
  };
}

function hover(row, keys) {
  const place = [valueOf("device", row), valueOf("batch_size", row) === null ? null : `batch ${valueOf("batch_size", row)}`];
  const origin = isPublished(row) ? `published by ${rows.origin[row]}` : "measured";
  const borrowed = ["top1", "top5"]
    .filter((key) => keys.includes(key) && !isPublished(row))
    .filter((key) => !["", MEASURED].includes(data.sources[key][row]))
    .map((key) => `${columnOf(key).heading} from ${data.sources[key][row]}`);
  return [
    `<b>${literal(rows.label[row], 40)}</b>`,
    `family ${literal(rows.family[row], 34)}`,
    ...keys.filter((key) => key !== "batch_size").map((key) => `${literal(columnOf(key).heading)}: <b>${literal(shownWithInterval(key, row))}</b>`),
    ...toldOf(row, keys),
    literal([origin, ...borrowed].join("; "), 70),
    literal(place.filter((part) => part !== null).join(", "), 48),
  ].filter(Boolean).join("<br>");
}

// What the accuracies among `keys` are of: the data set, how many of its images, which weights, how long a training.
function toldOf(row, keys) {
  const columns = [...new Set(keys.map((key) => columnOf(key).told).filter(Boolean))];
  return columns.flatMap((told) => [["on", valueOf(told, row)], ["weights", valueOf(told.replace("_of", "_weights"), row)], ["", valueOf(told.replace("_of", "_assumed"), row)]])
    .filter(([, said]) => said !== null).map((words) => literal(words.join(" ").trim(), 90));
}

const hoverLook = (look) => ({
  align: "left", bgcolor: look.paper, bordercolor: look.muted, font: { family: FONT, size: 12.5, color: look.ink },
});

function dashed(x, y, line, name) {
  return { type: "scatter", mode: "lines", name, x, y, line, hoverinfo: "skip", cliponaxis: true };
}

function lawTrace(chart, panel, look) {
  const { scale, exponent, offset } = panel.law;
  const values = panel.rows.map((row) => valueOf(chart.x.column, row)).filter((value) => value > 0);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const steps = [...Array(49).keys()].map((step) => step / 48);
  const across = steps.map((step) => (chart.x.log ? low * (high / low) ** step : low + (high - low) * step));
  return dashed(
    across.map((x) => x / columnOf(chart.x.column).scale),
    across.map((x) => (offset + scale * x ** exponent) / columnOf(chart.y.column).scale),
    { color: look.ink, width: 1.3, dash: "dash" }, "law",
  );
}

// The law in the units of the axes: what is stored speaks of base units.
function lawText(chart, { scale, exponent, r2, offset }) {
  const [x, y] = [columnOf(chart.x.column).scale, columnOf(chart.y.column).scale];
  const factor = significant((scale * x ** exponent) / y);
  const power = exponent === 1 ? "x" : `x<sup>${significant(exponent)}</sup>`;
  const start = offset ? ` ${offset < 0 ? "−" : "+"} ${significant(Math.abs(offset / y))}` : "";
  return `dashed: y = ${factor} · ${power}${start}, r² = ${r2.toFixed(3)}`;
}

const titles = (panel) => (panel.title ? [{ title: panel.title }] : []);

// {traces, layout, spots}: `spots` says where the mark of each row is, in pixels of the plot, for rings.
const SHAPES = { balls: ballsOf, lines: linesOf, bars: barsOf, curves: curvesOf };

function plotted(view, chart, range, panel) {
  const across = view.width - view.margin.l - view.margin.r;
  const down = view.height - view.margin.t - view.margin.b;
  const pixel = (axis, [low, high], length, row) =>
    ((toAxis(axis.log, inUnit(axis.column, row)) - low) / (high - low)) * length;
  const spot = (row) => ({
    x: pixel(chart.x, range.x, across, row),
    y: down - pixel(chart.y, range.y, down, row),
  });
  const back = ({ centreX, centreY }) => ({
    x: fromAxis(chart.x.log, range.x[0] + (centreX / across) * (range.x[1] - range.x[0])),
    y: fromAxis(chart.y.log, range.y[0] + (1 - centreY / down) * (range.y[1] - range.y[0])),
  });
  return { across, down, spot, back, rows: panel.rows.filter((row) => drawable(chart.x, row) && drawable(chart.y, row)) };
}

function nameTrace(names, points, frame, look, directions) {
  const found = placed(names.slice(0, MOST_NAMED), points, frame.across, frame.down, directions);
  const centres = found.map(frame.back);
  return {
    type: "scatter", mode: "text", name: "names", x: centres.map(({ x }) => x), y: centres.map(({ y }) => y),
    text: found.map(({ text }) => literal(text)), textposition: "middle center", hoverinfo: "skip", cliponaxis: true,
    textfont: { size: NAME_SIZE, color: look.ink, shadow: `0 0 2px ${look.paper}, 0 0 3px ${look.paper}` },
  };
}

const named = (point) => ({ ...point, text: clipped(rows.label[point.row], NAME_LENGTH) });

// The front first, then the best of each family, then the others, the best first.
function byImportance(points, chart, panel) {
  const front = new Set(panel.front);
  const sign = columnOf(chart.y.column).better === "lower" ? 1 : -1;
  const best = [...points].sort((a, b) => sign * (valueOf(chart.y.column, a.row) - valueOf(chart.y.column, b.row)));
  const families = new Set();
  const first = new Set(best.filter(({ row }) => !families.has(rows.family[row]) && families.add(rows.family[row])));
  const rank = (point) => (front.has(point.row) ? 0 : first.has(point) ? 1 : 2);
  return best.map((point) => [rank(point), isPublished(point.row), named(point)])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , point]) => point);
}

// Diameter in pixels of the largest ball of a chart: smaller where many share the room.
function largest(chart, width) {
  const crowd = Math.max(...chart.panels.map((panel) => panel.rows.length), 1);
  return (width < 500 ? 34 : 54) * Math.min(1, 50 / crowd) ** 0.2;
}

// Area is proportional to the value: `radius` of a value, in pixels.
function radiusOf(chart, width) {
  if (!chart.size) return () => DOT;
  const most = Math.max(...chart.panels.flatMap((panel) => panel.rows.map((row) => valueOf(chart.size, row) ?? 0)));
  const unit = largest(chart, width) / 2 / Math.sqrt(most || 1);
  return (value) => Math.max(unit * Math.sqrt(value), SMALLEST_BALL);
}

function ballsOf(chart, panel, view, range, look) {
  const frame = plotted(view, chart, range, panel);
  const radius = radiusOf(chart, view.width);
  const points = frame.rows.filter(shows)
    .filter((row) => !chart.size || valueOf(chart.size, row) > 0)
    .map((row) => ({ row, ...frame.spot(row), radius: radius(chart.size ? valueOf(chart.size, row) : 1) }))
    .sort((a, b) => b.radius - a.radius);
  const keys = [chart.y.column, chart.x.column, ...(chart.size ? [chart.size] : [])];
  const balls = {
    type: "scatter", mode: "markers", name: "networks", cliponaxis: true,
    x: points.map(({ row }) => inUnit(chart.x.column, row)), y: points.map(({ row }) => inUnit(chart.y.column, row)),
    customdata: points.map(({ row }) => row), hoverinfo: "text", hovertext: points.map(({ row }) => hover(row, keys)),
    // A diameter is the root of a value: so the area is what shows it.
    marker: { ...marker(points, look), size: points.map((point) => 2 * point.radius), sizemode: "diameter" },
  };
  const front = panel.front.length > 1 && dashed(
    panel.front.map((row) => inUnit(chart.x.column, row)), panel.front.map((row) => inUnit(chart.y.column, row)),
    { color: look.muted, width: 1.2, dash: "dash" }, "front",
  );
  const lines = [...titles(panel), ...(panel.law ? [{ text: lawText(chart, panel.law) }] : [])];
  return {
    traces: [front, panel.law && lawTrace(chart, panel, look), balls, nameTrace(byImportance(points, chart, panel), points, frame, look)].filter(Boolean),
    layout: layout(view, look, lines, axisLook(chart.x, range.x, marksAcross(view), look), axisLook(chart.y, range.y, marksUp(view), look)),
    spots: new Map(points.map((point) => [point.row, point])),
  };
}

// One trace per family and origin, its lines apart: hundreds of traces would be slow.
function linesOf(chart, panel, view, range, look) {
  const frame = plotted(view, chart, range, panel);
  const visible = frame.rows.filter(shows);
  const paths = grouped(visible, (row) => JSON.stringify([rows.family[row], rows.origin[row], rows.architecture[row], rows.input_shape[row]]));
  for (const path of paths.values()) path.sort((a, b) => valueOf(chart.x.column, a) - valueOf(chart.x.column, b));
  const bundles = grouped([...paths.values()], ([row]) => JSON.stringify([rows.family[row], rows.origin[row]]));
  const keys = [chart.y.column];
  const traces = [...bundles.values()].map((bundle) => {
    const path = bundle.flatMap((each) => [...each, null]);
    const points = path.map((row) => ({ row: row ?? bundle[0][0], radius: DOT }));
    const { fill } = styleOf(bundle[0][0]);
    const from = (key) => path.map((row) => (row === null ? null : inUnit(key, row)));
    return {
      type: "scatter", mode: "lines+markers", name: "networks", x: from(chart.x.column), y: from(chart.y.column),
      customdata: path, hoverinfo: "text", hovertext: path.map((row) => (row === null ? "" : hover(row, keys))), connectgaps: false,
      line: { color: fill, width: 1.6, dash: isHollow(bundle[0][0]) ? "dot" : "solid" },
      marker: { ...marker(points, look), size: 7 }, cliponaxis: true,
    };
  });
  const points = visible.map((row) => ({ row, ...frame.spot(row), radius: DOT }));
  const ends = [...paths.values()].map((path) => named({ row: path.at(-1), ...frame.spot(path.at(-1)), radius: DOT }));
  const steps = [...new Set(chart.panels.flatMap((each) => each.rows).map((row) => valueOf(chart.x.column, row)))].sort((a, b) => a - b);
  const marks = steps.length <= Math.min(12, 2 * marksAcross(view)) ? { tickmode: "array", tickvals: steps, ticktext: steps.map(String) } : {};
  return {
    traces: [...traces, nameTrace(ends.sort((a, b) => a.y - b.y), points, frame, look, [[1, 0]])],
    layout: layout(view, look, titles(panel), axisLook(chart.x, range.x, marksAcross(view), look, marks), axisLook(chart.y, range.y, marksUp(view), look)),
    spots: new Map(points.map((point) => [point.row, point])),
  };
}

// Positions `step` apart, nearest to `wanted` (rising) and not beyond `most`: as `marks.spread`.
function spread(wanted, step, most) {
  const pools = [];
  wanted.forEach((value, place) => {
    let pool = { mean: value - place * step, count: 1 };
    while (pools.length && pools.at(-1).mean >= pool.mean) {
      const other = pools.pop();
      const count = other.count + pool.count;
      pool = { mean: (other.mean * other.count + pool.mean * pool.count) / count, count };
    }
    pools.push(pool);
  });
  const last = Math.max(0, most - (wanted.length - 1) * step);
  return pools.flatMap(({ mean, count }) => Array(count).fill(Math.min(Math.max(mean, 0), last))).map((height, place) => height + place * step);
}

const endOf = (text, length) => ([...text].length <= length ? text : `…${[...text].slice(1 - length).join("")}`); // names of one kind begin alike
const roomForNames = (across) => Math.min(150, across / 2.6);

// The names of lines beside one another at the right, each led to from where its line ends; the best where all have no room.
function nameEnds(ends, { across, down, back }, look, colourOf) {
  const step = NAME_SIZE + 2;
  const shownEnds = ends.slice(0, Math.floor(down / step)).sort((a, b) => a.y - b.y);
  const heights = spread(shownEnds.map(({ y }) => y), step, down - 4);
  const left = across - roomForNames(across) + 24;
  const fits = Math.floor((across - left) / (NAME_SIZE * 0.56));
  const leaders = shownEnds.map(({ row, x, y }, place) => {
    const [start, stop] = [back({ centreX: x + 4, centreY: y }), back({ centreX: left - 3, centreY: heights[place] })];
    return { ...dashed([start.x, stop.x], [start.y, stop.y], { color: colourOf.get(row), width: 0.7 }, "leader"), opacity: 0.55 };
  });
  const spots = heights.map((centreY) => back({ centreX: left, centreY }));
  const names = {
    type: "scatter", mode: "text", name: "names", x: spots.map(({ x }) => x), y: spots.map(({ y }) => y), hoverinfo: "skip", cliponaxis: false,
    text: shownEnds.map(({ row }) => literal(endOf(rows.label[row], fits))), textposition: "middle right", textfont: { size: NAME_SIZE, color: look.ink },
  };
  return [...leaders, names];
}

const curveOf = (key, row) => (valueOf(`${key}_epochs`, row) ?? []).map(([epoch, value]) => ({ x: epoch, y: value / columnOf(key).scale }));
const curvesIn = (chart, row) => [curveOf(chart.y.column, row), chart.beside && !isPublished(row) ? curveOf(chart.beside, row) : []];

// A line for each network over its epochs, the other quantity dashed, published ends hollow. Colours tell networks apart.
function curvesOf(chart, panel, view, range, look) {
  const across = view.width - view.margin.l - view.margin.r;
  const down = view.height - view.margin.t - view.margin.b;
  const share = ([low, high], value) => (value - low) / (high - low);
  const back = ({ centreX, centreY }) => ({
    x: range.x[0] + (centreX / across) * (range.x[1] - range.x[0]),
    y: fromAxis(chart.y.log, range.y[0] + (1 - centreY / down) * (range.y[1] - range.y[0])),
  });
  const colourOf = new Map(panel.rows.map((row, place) => [row, panel.strokes[place]]));
  const visible = panel.rows.filter(shows);
  const { heading, unit, decimals } = columnOf(chart.y.column);
  const traces = visible.flatMap((row) => {
    const [solid, dotted] = curvesIn(chart, row);
    const color = colourOf.get(row);
    const said = ({ x, y }) => [`<b>${literal(rows.label[row], 40)}</b>`, `epoch ${x}`, `${literal(heading)}: <b>${fixed(y, decimals)} ${literal(unit)}</b>`,
      ...toldOf(row, [chart.y.column]), literal(isPublished(row) ? `published by ${rows.origin[row]}` : "measured", 70)].join("<br>");
    return [
      dotted.length && dashed(dotted.map(({ x }) => x), dotted.map(({ y }) => y), { color, width: 1.2, dash: "dot" }, "beside"),
      {
        type: "scatter", mode: isPublished(row) ? "markers" : "lines+markers", name: "networks", cliponaxis: true,
        x: solid.map(({ x }) => x), y: solid.map(({ y }) => y), customdata: solid.map(() => row), hoverinfo: "text", hovertext: solid.map(said),
        line: { color, width: 1.8 }, marker: { color, size: isPublished(row) ? 9 : 5, symbol: isPublished(row) ? "circle-open" : "circle", line: { color, width: 1.7 } },
      },
    ].filter(Boolean);
  });
  const ends = visible.map((row) => ({ row, end: curveOf(chart.y.column, row).at(-1) }))
    .map(({ row, end }) => named({ row, end, x: share(range.x, end.x) * across, y: (1 - share(range.y, toAxis(chart.y.log, end.y))) * down, radius: DOT }));
  const most = marksAcross(view);
  const last = Math.max(...ends.map(({ end }) => end.x), 1);
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((each) => (range.x[1] - range.x[0]) / each <= most) ?? 1000;
  const tickvals = [...Array(Math.floor(last / step)).keys()].map((place) => (place + 1) * step); // none where only names stand
  return {
    traces: [...traces, ...nameEnds(ends.filter(({ row }) => !isPublished(row)), { across, down, back }, look, colourOf)],
    layout: layout(view, look, titles(panel), axisLook(chart.x, range.x, most, look, { tickmode: "array", tickvals, ticktext: tickvals.map(String) }), axisLook(chart.y, range.y, marksUp(view), look, {}, chart.heading)),
    spots: new Map(ends.map((point) => [point.row, point])),
  };
}

const barsShown = (panel) => panel.rows.filter(shows);

// Thin lines over the intervals of bars that have one.
function whiskers(chart, bars, look) {
  const reach = (place, sign) => bars.map((row) => {
    const ends = interval(chart.y.column, row);
    return ends ? Math.max(0, sign * (ends[place] - inUnit(chart.y.column, row))) : 0;
  });
  if (!bars.some((row) => interval(chart.y.column, row))) return {};
  return { error_x: { type: "data", symmetric: false, array: reach(1, 1), arrayminus: reach(0, -1), color: look.ink, thickness: 1, width: 2 } };
}

function barsOf(chart, panel, view, range, look) {
  const all = barsShown(panel);
  const bars = all.slice(0, MOST_BARS);
  const places = bars.map((_, place) => place);
  const points = bars.map((row) => ({ row, radius: 1 }));
  const { color, line } = marker(points, look);
  const { scale, decimals } = columnOf(chart.y.column);
  const numberOf = (row) => fixed(valueOf(chart.y.column, row) / scale, decimals);
  const uncertain = bars.map((row, place) => ({ row, place, ends: interval(chart.y.column, row) })).filter(({ ends }) => ends);
  // The number of a bar with an interval stands beyond it.
  const numbers = uncertain.length && {
    type: "scatter", mode: "text", name: "numbers", x: uncertain.map(({ ends }) => ends[1]), y: uncertain.map(({ place }) => place),
    text: uncertain.map(({ row }) => ` ${numberOf(row)}`), textposition: "middle right", hoverinfo: "skip", cliponaxis: false,
    textfont: { size: view.row.text - 1, color: look.muted },
  };
  const trace = {
    type: "bar", orientation: "h", name: "networks", y: places, x: bars.map((row) => inUnit(chart.y.column, row)),
    customdata: bars, hoverinfo: "text", hovertext: bars.map((row) => hover(row, [chart.y.column])),
    text: bars.map((row) => (interval(chart.y.column, row) ? "" : numberOf(row))), textposition: "outside", textangle: 0,
    textfont: { size: view.row.text - 1, color: look.muted }, cliponaxis: false, ...whiskers(chart, bars, look),
    marker: {
      color: bars.map((row, place) => (isHollow(row) ? "rgba(0,0,0,0)" : color[place])),
      line: { color: line.color, width: bars.map((row) => (isHollow(row) ? 1.7 : 0)) },
    },
  };
  const room = view.margin.l - 10;
  const label = (row) => {
    const name = [...rows.label[row]];
    const fits = Math.floor((name.length * room) / (textWidth(name.join(""), view.row.text) || 1));
    return literal(rows.label[row], Math.max(6, Math.min(60, fits)));
  };
  const names = { tickmode: "array", tickvals: places, ticktext: bars.map(label), ticks: "", showgrid: false, fixedrange: true, title: { text: "" }, tickfont: { size: view.row.text } };
  const more = all.length > MOST_BARS ? [{ text: `the first ${MOST_BARS}; ${all.length - MOST_BARS} more in the table` }] : [];
  const across = { column: chart.y.column, log: chart.y.log };
  return {
    traces: [trace, numbers].filter(Boolean),
    layout: layout(view, look, [...titles(panel), ...more], axisLook(across, range.x, marksAcross(view), look), axisLook({ column: "" }, [bars.length - 0.5, -0.5], 2, look, names)),
    spots: new Map(bars.map((row, place) => [row, { band: true, y: (place + 0.5) * view.row.height, radius: view.row.height / 2 }])),
  };
}

// The size of a panel, `width` pixels wide, of a chart on the screen or on paper.
function viewOf(chart, panel, width, medium) {
  const top = MARGIN.t + (coarse && medium === "screen" ? TOUCHED : 0);
  const row = ROW[medium];
  const lines = (panel.title ? 1 : 0) + (panel.law ? 1 : 0);
  if (chart.kind !== "bars") {
    const height = Math.round(Math.min(Math.max(width * 0.62, 300), 640));
    const margin = { ...MARGIN, t: top + lines * LINE_HEIGHT };
    return { width, height: height + margin.t - MARGIN.t, margin, row };
  }
  const all = barsShown(panel);
  const count = Math.max(1, Math.min(all.length, MOST_BARS));
  const longest = all.slice(0, MOST_BARS).reduce((most, each) => Math.max(most, textWidth(rows.label[each], row.text)), 40);
  const t = top + (lines + (all.length > MOST_BARS ? 1 : 0)) * LINE_HEIGHT;
  const margin = { ...MARGIN, t, l: Math.round(Math.min(longest + 14, width * 0.42)) };
  return { width, height: count * row.height + margin.t + margin.b, margin, row };
}

// The limits that the panels of a chart share where their accuracies are of the same data, when nothing is zoomed; bars start at nothing where they can.
function rangeOf(chart, panels, view, data) {
  const all = panels.filter((panel) => panel.data === data).flatMap((panel) => panel.rows);
  if (chart.kind === "bars") {
    // Of the width alone: the room that names take differs from panel to panel, the limits do not.
    const ends = all.filter((row) => drawable(chart.y, row)).flatMap((row) => [inUnit(chart.y.column, row), ...(interval(chart.y.column, row) ?? [])]);
    const [low, high] = around(chart.y, [...ends.map((value) => toAxis(chart.y.log, value)), ...(chart.y.log ? [] : [0])], view.width * 0.6, chart.y.log ? 20 : 0, 60);
    return { x: [chart.y.log ? low : Math.min(0, low), high] };
  }
  const across = view.width - view.margin.l - view.margin.r;
  const down = view.height - view.margin.t - view.margin.b;
  if (chart.kind === "curves") {
    const drawn = all.flatMap((row) => curvesIn(chart, row).flat());
    const names = roomForNames(across);
    const heights = drawn.filter(({ y }) => !chart.y.log || y > 0).map(({ y }) => toAxis(chart.y.log, y));
    return { x: around(chart.x, drawn.map(({ x }) => x), across, 12, names), y: around(chart.y, heights, down, 12, 12) };
  }
  const reach = chart.kind === "balls" ? (chart.size ? largest(chart, view.width) / 2 : DOT) + 8 : 12;
  const after = chart.kind === "lines" ? Math.min(90, across / 4) : reach;
  return { x: limits(chart.x, all, across, reach, after), y: limits(chart.y, all, down, reach, reach) };
}
