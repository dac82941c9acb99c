// The table of networks: sorted, filtered, each row tied to its blobs.

const table = document.getElementById("networks");
const lines = table ? [...table.tBodies[0].rows] : []; // as they stand in the data, whatever the order on the page
const numberOf = new Map(lines.map((line, row) => [line, row]));
let ordered = lines;
let wanted = [];

const cellValue = (line, column) => line.cells[column].dataset.value ?? line.cells[column].textContent.trim();

// What was not measured has no value: it stays last in either direction.
function compare(a, b, numeric, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true, sensitivity: "base" }));
}

function sortBy(heads, column) {
  const head = heads[column];
  const numeric = head.classList.contains("number");
  const first = numeric ? "descending" : "ascending";
  const other = numeric ? "ascending" : "descending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  heads.forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const values = new Map(lines.map((line) => [line, cellValue(line, column)]));
  ordered = [...ordered].sort((a, b) => compare(values.get(a), values.get(b), numeric, sign));
  table.tBodies[0].append(...ordered);
}

const texts = lines.map((line) => line.textContent.toLowerCase());

function filter() {
  let visible = 0;
  lines.forEach((line, row) => {
    const seen = shows(row) && wanted.every((word) => texts[row].includes(word));
    if (line.hidden === seen) line.hidden = !seen;
    visible += seen ? 1 : 0;
  });
  document.getElementById("shown").textContent = `${visible} of ${lines.length} rows`;
}

function search(text) {
  wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  filter();
}

function markLine() {
  table.querySelectorAll("tr[aria-selected]").forEach((line) => line.removeAttribute("aria-selected"));
  if (state.marked !== null) lines[state.marked]?.setAttribute("aria-selected", "true");
}

// To the row of a blob: words that would hide it are taken back.
function reveal(row) {
  const line = lines[row];
  if (!line) return;
  if (line.hidden) {
    document.getElementById("filter").value = "";
    search("");
  }
  line.scrollIntoView({ block: "center", inline: "nearest" });
  line.focus({ preventScroll: true });
}

function point(row) {
  if (state.pointed === row) return;
  state.pointed = row;
  ringAll();
}

// One row is reached by Tab, the others from it by the arrows: a thousand stops would be a wall.
function walk(event) {
  const line = event.target.closest("tbody tr");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!line || !step) return;
  const seen = ordered.filter((each) => !each.hidden);
  const next = seen[seen.indexOf(line) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function startTable() {
  if (!table) return;
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const lineOf = (event) => event.target.closest("tr");
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sortBy(heads, column)));
  document.getElementById("filter").addEventListener("input", (event) => search(event.target.value));
  lines.forEach((line, row) => { line.tabIndex = row ? -1 : 0; });
  body.addEventListener("pointerover", (event) => point(numberOf.get(lineOf(event)) ?? null));
  body.addEventListener("pointerleave", () => point(null));
  body.addEventListener("focusin", (event) => point(numberOf.get(lineOf(event)) ?? null));
  body.addEventListener("focusout", () => point(null));
  body.addEventListener("keydown", walk);
  body.addEventListener("click", (event) => {
    const row = numberOf.get(lineOf(event));
    if (row === undefined || event.target.closest("a")) return;
    state.marked = state.marked === row ? null : row;
    tell("mark");
  });
  on("filter", filter);
  on("mark", markLine);
}
