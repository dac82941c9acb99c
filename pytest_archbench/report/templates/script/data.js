// What the page knows: the rows of the table, how their columns read, and what the reader has chosen to see.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const MEASURED = "measured";
const ROWS = rows.architecture.map((_, row) => row);
const BOTH = rows.origin.includes(MEASURED) && rows.origin.some((origin) => origin !== MEASURED);

// `hidden` holds families; `marked` is the row that stays ringed, `pointed` the one under the pointer.
const state = { hidden: new Set(), published: true, marked: null, pointed: null };

const listeners = { filter: [], mark: [] };
const on = (event, listener) => listeners[event].push(listener);
const tell = (event) => listeners[event].forEach((listener) => listener());

const shows = (row) => !state.hidden.has(rows.family[row]) && (state.published || rows.origin[row] === MEASURED);
const isPublished = (row) => rows.origin[row] !== MEASURED;
const isHollow = (row) => BOTH && isPublished(row); // beside measured ones: alone they are as good as any

// null where it was not measured: a column that no row has is not in the data at all.
const valueOf = (key, row) => rows[key]?.[row] ?? null;

const columnOf = (key) =>
  data.columns[key] ?? { heading: { batch_size: "Batch size", epoch: "Epoch" }[key] ?? key, unit: "", scale: 1, decimals: 0, better: "" };
const inUnit = (key, row) => valueOf(key, row) / columnOf(key).scale;
const axisTitle = ({ heading, unit }) => (unit ? `${heading} [${unit}]` : heading);

// As `columns.fixed`: more places where fewer than three significant ones would be left.
function fixed(value, decimals) {
  if (value === 0 || !Number.isFinite(value)) return value.toFixed(decimals);
  const lead = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(decimals, 2 - lead), 12));
}

function shown(key, row) {
  const { unit, scale, decimals } = columnOf(key);
  const value = valueOf(key, row);
  if (value === null) return "not measured";
  if (key === "batch_size") return String(value);
  return unit ? `${fixed(value / scale, decimals)} ${unit}` : fixed(value / scale, decimals);
}

// [low, high] of the 95 % interval of a share in the unit of its column; null where there is none.
function interval(key, row) {
  const ends = columnOf(key).uncertain ? ["low", "high"].map((end) => valueOf(`${key}_${end}`, row)) : [null];
  return ends.includes(null) ? null : ends.map((end) => end / columnOf(key).scale);
}

function shownWithInterval(key, row) {
  const ends = interval(key, row);
  return ends ? `${shown(key, row)} (${ends.map((end) => fixed(end, columnOf(key).decimals)).join(" to ")})` : shown(key, row);
}

const significant = (value) => String(Number(value.toPrecision(3)));
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function clipped(text, length) {
  const letters = [...String(text)];
  return letters.length <= length ? letters.join("") : `${letters.slice(0, length - 1).join("")}…`;
}

function grouped(all, keyOf) {
  const found = new Map();
  for (const each of all) {
    const key = keyOf(each);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(each);
  }
  return found;
}

// The drawing library reads some markup and formulas in texts; a name is a name.
const LITERAL = { "&": "&amp;", "<": "&lt;", ">": "&gt;", $: "&#36;" };
const literal = (text, length = 60) => clipped(text, length).replace(/[&<>$]/g, (letter) => LITERAL[letter]);

const element = (tag, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

const root = document.documentElement;
const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const theme = () => ({ paper: colour("paper"), ink: colour("ink"), muted: colour("muted"), line: colour("line") });

// Touch: a drag scrolls the page, and the first tap reads what the second one follows.
const coarse = matchMedia("(pointer: coarse)").matches;
