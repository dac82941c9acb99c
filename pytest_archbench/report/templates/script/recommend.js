// Which network to take, under limits: the rules and the words of `archbench recommend`, on the rows of the page.

const MOST_RANKED = 50;
const ALIKE = 1e-12; // what is written in decimals differs from the same number computed otherwise by its last bits

// `held`: the column that also holds what follows from other measurements.
const BOUNDS = [
  { id: "max-latency", key: "latency", held: "latency", beyond: ">", scale: () => 1e-3 },
  { id: "max-memory", key: "peak_memory", held: "peak_memory", beyond: ">", scale: () => MEMORY[document.getElementById("memory-unit").value] },
  { id: "min-top1", key: "top1", held: "top1", beyond: "<", scale: () => 1e-2 },
  { id: "min-throughput", key: "throughput", held: "image_rate", beyond: "<", scale: () => 1 },
];
const MEMORY = { MiB: 2 ** 20, GiB: 2 ** 30 };
const NAMES = { latency: "latency", peak_memory: "peak memory", top1: "top-1", throughput: "throughput" };
const RANKED = ["top1", "latency", "throughput", "peak_memory"];
const HELD = Object.fromEntries(BOUNDS.map(({ key, held }) => [key, held]));

const columnFor = (key) => data.columns[key] ?? columnOf(HELD[key]);
const known = (key, row) => valueOf(HELD[key], row) ?? valueOf(key, row);
const failed = new Map(data.failures.map(([name, device, batch, metric, why]) => [JSON.stringify([name, device, batch, metric]), why]));
const failedAt = (name, device, batch) =>
  data.failures.filter((each) => each[0] === name && each[1] === device && each[2] === batch).map((each) => each[4]);
const MEASURES = { latency: ["latency"], peak_memory: ["peak_memory"], top1: ["top1"], throughput: ["throughput", "latency"] };

function boundsGiven() {
  return BOUNDS.map((bound) => ({ ...bound, text: document.getElementById(bound.id).value.trim() }))
    .filter(({ text }) => text !== "" && Number.isFinite(Number(text)))
    .map((bound) => ({ ...bound, limit: Number(bound.text) * bound.scale() }));
}

function keeps(value, { limit, beyond }) {
  const outside = beyond === ">" ? value > limit : value < limit;
  return !outside || Math.abs(value - limit) <= ALIKE * Math.max(Math.abs(value), Math.abs(limit));
}

// A sentence where a row misses a bound; empty where it keeps it.
function misses(row, bound) {
  const { key, beyond, limit } = bound;
  const value = known(key, row);
  if (value === null) return `${unknown(key, row)}${why(key, row)}`;
  if (keeps(value, bound)) return "";
  const { unit, scale, decimals } = columnFor(key);
  const rounded = fixed(value / scale, decimals);
  const number = keeps(Number(rounded) * scale, bound) ? String(Number((value / scale).toPrecision(12))) : rounded;
  return `${NAMES[key]} ${number} ${unit} ${beyond} ${Number((limit / scale).toPrecision(6))} ${unit.replace("/batch", "")}`;
}

function unknown(key, row) {
  if (key === "top1") return "no top-1 known";
  return `${NAMES[key]} ${isPublished(row) ? `not published by ${rows.origin[row]}` : "not measured"}`;
}

function why(key, row) {
  const place = [rows.architecture[row], rows.device[row], rows.batch_size[row]];
  const found = MEASURES[key].map((metric) => failed.get(JSON.stringify([...place, metric]))).find(Boolean);
  return found ? ` (${found})` : "";
}

// What tells rows of one network apart: its origin where the rows here have several, and the conditions that differ.
function labels(here) {
  const differing = (columns, among) => columns.filter((values) => new Set(among.map((row) => values[row])).size > 1);
  const sets = rows.top1_data ?? rows.origin.map(() => null);
  const several = new Set(here.map((row) => sets[row]).filter(Boolean)).size > 1;
  const shared = [...differing([rows.origin], here), ...(several ? [sets] : [])];
  const alike = grouped(here, (row) => rows.architecture[row]);
  return new Map(here.map((row) => {
    const telling = [...shared, ...differing(data.conditions, alike.get(rows.architecture[row]))];
    const name = rows.architecture[row];
    const told = telling.map((values) => values[row]).filter((value) => value !== null);
    return [row, told.length ? `${name} (${told.join(", ")})` : name];
  }));
}

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// {ranked: [row], excluded: [[label, reasons]], label} for a device and a batch size.
function chosen(device, batch, bounds) {
  const there = ROWS.filter((row) => rows.device[row] === device && rows.batch_size[row] === batch);
  const here = there.filter((row) => data.standing[row]);
  const label = labels(here);
  const reasons = new Map(here.map((row) => [row, bounds.map((bound) => misses(row, bound)).filter(Boolean)]));
  const falling = (row) => -(valueOf("top1", row) ?? -Infinity);
  const rising = (row) => valueOf("latency", row) ?? Infinity;
  const rank = ofDataSets(here);
  const order = (a, b) => compared(rank(a), rank(b)) || compared(falling(a), falling(b)) || compared(rising(a), rising(b)) || byText(label.get(a), label.get(b));
  const ranked = here.filter((row) => !reasons.get(row).length).sort(order);
  const present = new Set(here.map((row) => rows.architecture[row]));
  const absent = [...new Set(rows.architecture)].filter((name) => !present.has(name));
  const absence = (name) => {
    const told = [...new Set(failedAt(name, device, batch))].join("; ");
    return `not measured on ${device} at batch ${batch}${told ? ` (${told})` : ""}`;
  };
  const excluded = [
    ...here.filter((row) => reasons.get(row).length).map((row) => [label.get(row), reasons.get(row)]).sort((a, b) => byText(a[0], b[0])),
    ...absent.map((name) => [name, [absence(name)]]).sort((a, b) => byText(a[0], b[0])),
  ];
  return { ranked, excluded, label };
}

// Accuracies of several data sets do not compare: those of the fullest come first, rows without any last.
function ofDataSets(here) {
  const of = (row) => valueOf("top1_data", row) ?? "";
  const counts = grouped(here, of);
  const order = [...counts.keys()].sort((a, b) => compared(!a, !b) || counts.get(b).length - counts.get(a).length || byText(a, b));
  return (row) => order.indexOf(of(row));
}

const compared = (a, b) => (a < b ? -1 : a > b ? 1 : 0); // two infinities are equal

function rankedLine(row, place, label, keys) {
  const name = element("button", { type: "button", className: "plain-button", textContent: clipped(label, 60), title: "Show in the table and in the figures" });
  name.addEventListener("click", () => { state.marked = row; tell("mark"); reveal(row); });
  const cell = { className: "number" };
  const text = (key) => {
    const value = known(key, row);
    if (value === null) return key === "top1" ? "no top-1 known" : "–";
    return fixed(value / columnFor(key).scale, columnFor(key).decimals);
  };
  return element("tr", {}, [
    element("td", { ...cell, textContent: String(place + 1) }), element("th", { scope: "row" }, [name]),
    ...keys.map((key) => element("td", { ...cell, textContent: text(key) })),
  ]);
}

function rankedHead(keys) {
  const heads = [["", ""], ["Network", ""], ...keys.map((key) => [axisTitle(columnFor(key)), "number"])];
  return element("tr", {}, heads.map(([textContent, className]) => element("th", { scope: "col", textContent, className })));
}

function showChoice(device, batch) {
  const result = document.getElementById("ranked");
  const folded = document.getElementById("excluded");
  const { ranked, excluded, label } = chosen(device, batch, boundsGiven());
  const keys = RANKED.filter((key) => data.columns[key] || data.columns[HELD[key]]);
  result.tHead.replaceChildren(rankedHead(keys));
  result.tBodies[0].replaceChildren(...ranked.slice(0, MOST_RANKED).map((row, place) => rankedLine(row, place, label.get(row), keys)));
  result.parentElement.hidden = !ranked.length;
  const more = ranked.length > MOST_RANKED ? `; the first ${MOST_RANKED} are listed` : "";
  document.getElementById("choice").textContent = ranked.length
    ? `${counted(ranked.length, "network")} on ${device} at batch ${batch}, the most accurate first${more}.`
    : `No network of this page keeps to all limits on ${device} at batch ${batch}.`;
  folded.hidden = !excluded.length;
  folded.querySelector("summary").textContent = `Left out (${excluded.length}), each with its reason`;
  folded.querySelector("ul").replaceChildren(...excluded.map(([name, reasons]) =>
    element("li", {}, [element("b", { textContent: clipped(name, 80) }), `: ${reasons.join("; ")}`])));
}

function startRecommend() {
  const place = document.getElementById("recommend");
  const devices = [...new Set(ROWS.filter((row) => rows.device[row] !== null && rows.batch_size[row] !== null).map((row) => rows.device[row]))];
  if (!place || !devices.length) return;
  const device = document.getElementById("device");
  const batch = document.getElementById("batch");
  const option = (value) => element("option", { value: String(value), textContent: clipped(value, 60) });
  const fillBatches = () => {
    const sizes = ROWS.filter((row) => rows.device[row] === device.value).map((row) => rows.batch_size[row]);
    const before = batch.value;
    batch.replaceChildren(...[...new Set(sizes)].filter((size) => size !== null).sort((a, b) => a - b).map(option));
    if ([...batch.options].some(({ value }) => value === before)) batch.value = before;
  };
  const update = () => showChoice(device.value, Number(batch.value));
  device.replaceChildren(...devices.map(option));
  device.addEventListener("change", () => { fillBatches(); update(); });
  place.querySelectorAll("input, #batch, #memory-unit").forEach((control) => control.addEventListener("input", update));
  fillBatches();
  update();
  place.hidden = false;
}
