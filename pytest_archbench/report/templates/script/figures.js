// The figures on the page: drawn when they come near, again when what they show changes, rings around what is marked.

const PRINTED_WIDTH = 680; // pixels of an A4 or Letter page between its margins
const NEAR = "500px 0px";

const figures = data.charts.map((chart) => {
  const place = document.getElementById(chart.name);
  return place && { chart, place, panels: [], group: chart.panels[0]?.group ?? "", zoom: new Map(), sizes: null, near: false, width: 0 };
}).filter(Boolean);

const SAME_TAP = 450; // milliseconds
let markedAt = 0;

const queue = new Set();
let pumping = false;
let ready = false; // the library is there
let printing = false;

const medium = () => (printing ? "paper" : "screen");
const groupsOf = (chart) => [...new Set(chart.panels.map((panel) => panel.group))].filter(Boolean);

function setUp(figure) {
  const { chart, place } = figure;
  const groups = groupsOf(chart);
  if (groups.length > 1) {
    const options = groups.map((group) => element("option", { value: group, textContent: group }));
    const choice = element("select", {}, options);
    choice.addEventListener("change", () => { figure.group = choice.value; build(figure); });
    place.querySelector(".choices").append(element("label", { textContent: "Batch size " }, [choice]));
  }
  if (chart.size) {
    figure.sizes = element("span", { className: "sizes" });
    place.querySelector(".choices").append(figure.sizes);
  }
  place.querySelector(".note").textContent = chart.note;
  build(figure);
}

// The panels of the chosen group, in a grid.
function build(figure) {
  const { chart, place } = figure;
  const grid = place.querySelector(".panels");
  figure.panels.forEach(({ plot }) => window.Plotly?.purge(plot));
  const several = groupsOf(chart).length > 1;
  const shownPanels = chart.panels.filter((panel) => !several || panel.group === figure.group);
  figure.panels = shownPanels.map((panel) => {
    const plot = element("div", { className: "plot" });
    const box = element("div", { className: "panel" }, [plot]);
    return { figure, panel, plot, box, spots: new Map(), view: null, listening: false };
  });
  grid.replaceChildren(...figure.panels.map(({ box }) => box));
  grid.classList.toggle("single", shownPanels.length === 1);
  figure.width = 0;
  size(figure);
}

// Room is kept before anything is drawn, so that nothing jumps.
function size(figure) {
  const width = printing ? PRINTED_WIDTH : figure.panels[0]?.box.clientWidth ?? 0;
  if (!width || width === figure.width) return;
  figure.width = width;
  for (const each of figure.panels) each.box.style.minHeight = `${viewOf(figure.chart, each.panel, width, medium()).height}px`;
  if (figure.sizes) sizeLegend(figure);
  stale(figure);
}

function stale(figure) {
  figure.panels.forEach((each) => { each.stale = true; });
  if (figure.near) enqueue(figure);
}

function enqueue(figure) {
  figure.panels.filter((each) => each.stale).forEach((each) => queue.add(each));
  if (pumping || !ready || !queue.size) return;
  pumping = true;
  requestAnimationFrame(() => setTimeout(pump));
}

// One panel after a frame: the page answers, and shows that it did, in between.
function pump() {
  const [next] = queue;
  queue.delete(next);
  if (next?.stale && next.box.isConnected) draw(next);
  pumping = queue.size > 0;
  if (pumping) requestAnimationFrame(() => setTimeout(pump));
}

const CONFIG = {
  displaylogo: false, responsive: false, doubleClick: false, scrollZoom: false, showTips: false, displayModeBar: coarse || "hover",
};

function buttons({ figure, panel, plot }) {
  const { Icons } = window.Plotly;
  const reset = { name: "reset", title: "Show all", icon: Icons.home, click: () => zoomTo(figure, panel, null) };
  const save = (kind, icon) => ({ name: kind, title: `Save as ${kind.toUpperCase()}`, icon, click: () => download(plot, figure.chart.name, kind) });
  return [["zoomIn2d", "zoomOut2d", reset], [save("svg", Icons.disk), save("png", Icons.camera)]];
}

function draw(each) {
  const { figure, panel, plot, box } = each;
  const { chart } = figure;
  const width = figure.width;
  if (!width) return;
  each.stale = false;
  each.view = viewOf(chart, panel, width, medium());
  const range = { ...rangeOf(chart, figure.panels.map((other) => other.panel), each.view, panel.data), ...figure.zoom.get(panel.data) };
  const made = SHAPES[chart.kind](chart, panel, each.view, range, theme());
  window.Plotly.react(plot, made.traces, made.layout, { ...CONFIG, modeBarButtons: buttons(each) });
  each.spots = made.spots;
  box.style.minHeight = `${each.view.height}px`;
  box.dataset.drawn = String(made.spots.size);
  if (!each.listening) listen(each);
  ring(each);
}

function listen(each) {
  const { figure, plot } = each;
  each.listening = true;
  plot.on("plotly_relayout", (changes) => {
    if (!Object.keys(changes).some((key) => /^[xy]axis\.range/.test(key))) return;
    const ranges = { x: [...plot.layout.xaxis.range] };
    if (figure.chart.kind !== "bars") ranges.y = [...plot.layout.yaxis.range];
    zoomTo(figure, each.panel, ranges);
  });
  plot.on("plotly_doubleclick", () => zoomTo(figure, each.panel, null));
  plot.on("plotly_click", ({ points }) => {
    const row = points.find(({ customdata }) => Number.isInteger(customdata))?.customdata;
    if (row === undefined) return;
    // A finger reads first: one tap says what a blob is, the next goes to its row. A tap may arrive as two clicks.
    const again = state.marked === row && performance.now() - markedAt > SAME_TAP;
    if (state.marked !== row) markedAt = performance.now();
    state.marked = row;
    tell("mark");
    if (!coarse || again) reveal(row);
  });
}

// The panels of a chart that share their limits are zoomed together.
function zoomTo(figure, { data: shared }, ranges) {
  figure.zoom.set(shared, ranges);
  stale(figure);
}

// Same network, same origin, where a chart shows another of its rows.
function ringed(each, row) {
  if (row === null) return [];
  if (each.spots.has(row)) return [each.spots.get(row)];
  const alike = (other) => rows.architecture[other] === rows.architecture[row] && rows.origin[other] === rows.origin[row];
  return [...each.spots].filter(([other]) => alike(other)).map(([, spot]) => spot);
}

function ring(each) {
  const { box, view } = each;
  box.querySelectorAll(".ring").forEach((old) => old.remove());
  if (!view) return;
  const across = view.width - view.margin.l - view.margin.r;
  const down = view.height - view.margin.t - view.margin.b;
  for (const spot of ringed(each, state.pointed ?? state.marked)) {
    const made = element("div", { className: spot.band ? "ring band" : "ring" });
    const reach = spot.radius + (spot.band ? 0 : 4);
    if (!spot.band && (spot.x < 0 || spot.x > across || spot.y < 0 || spot.y > down)) continue;
    const left = spot.band ? 0 : view.margin.l + spot.x - reach;
    Object.assign(made.style, {
      left: `${left}px`, top: `${view.margin.t + spot.y - reach}px`,
      width: `${spot.band ? view.width : 2 * reach}px`, height: `${2 * reach}px`,
    });
    box.append(made);
  }
}

const ringAll = () => figures.forEach((figure) => figure.panels.forEach(ring));

// Round values and their circles, as large as in the chart.
function sizeLegend({ chart, sizes, panels }) {
  const column = columnOf(chart.size);
  const values = chart.panels.flatMap((panel) => panel.rows.map((row) => valueOf(chart.size, row) ?? 0));
  const most = Math.max(...values) / column.scale;
  const decade = 10 ** Math.floor(Math.log10(most || 1));
  const steps = [0.01, 0.1, 0.5, 1, 2, 5].map((step) => Number((step * decade).toPrecision(1))).filter((step) => step <= most).slice(-3);
  const radius = radiusOf(chart, panels[0].box.clientWidth || PRINTED_WIDTH);
  sizes.replaceChildren(axisTitle(column), ...steps.map((step) => {
    const circle = element("i");
    const across = `${2 * radius(step * column.scale)}px`;
    Object.assign(circle.style, { width: across, height: across });
    return element("span", {}, [circle, String(step)]);
  }));
}

// As the panel stands, without asking anything from anywhere: an image of data, not of an address.
async function download(plot, name, kind) {
  const { width, height } = plot.layout;
  let address = await window.Plotly.toImage(plot, { format: "svg", width, height });
  if (kind === "png") {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = element("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    address = canvas.toDataURL("image/png");
  }
  element("a", { href: address, download: `${name}.${kind}` }).click();
}

const staleAll = () => figures.forEach(stale);

function watch() {
  figures.forEach(setUp);
  const sight = new IntersectionObserver((seen) => seen.forEach(({ target, isIntersecting }) => {
    const figure = figures.find(({ place }) => place === target);
    figure.near = isIntersecting;
    if (isIntersecting) enqueue(figure);
  }), { rootMargin: NEAR });
  const resized = new ResizeObserver((seen) => { if (!printing) seen.forEach(({ target }) => size(figures.find(({ place }) => place === target))); });
  figures.forEach(({ place }) => { sight.observe(place); resized.observe(place); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", staleAll);
}

// Paper is light and as wide as paper is; what was not in sight yet is drawn too.
function print() {
  if (!ready) return;
  printing = true;
  root.classList.add("printing");
  for (const figure of figures) {
    size(figure);
    figure.panels.forEach(draw);
  }
}

function printed() {
  printing = false;
  root.classList.remove("printing");
  figures.forEach((figure) => { figure.width = 0; size(figure); });
}

async function startFigures() {
  watch();
  try {
    await unpack();
    ready = true;
    figures.filter(({ near }) => near).forEach(enqueue);
  } catch (error) {
    root.classList.remove("drawing");
    document.getElementById("why-plain").textContent = `The drawing library cannot start (${error.message}): the figures are linked as files.`;
  }
}
