"use strict";
(() => {
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  const table = document.getElementById("networks");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const heads = [...table.tHead.rows[0].cells];

  const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

  // What was not measured has no value: it stays last in either direction.
  function compare(a, b, numeric, sign) {
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true, sensitivity: "base" }));
  }

  function sortBy(column) {
    const head = heads[column];
    const numeric = head.classList.contains("number");
    const first = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((a, b) => compare(valueOf(a, column), valueOf(b, column), numeric, sign));
    body.append(...rows);
  }

  function filter(text) {
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    let visible = 0;
    for (const row of rows) {
      row.hidden = !wanted.every((word) => words.get(row).includes(word));
      visible += row.hidden ? 0 : 1;
    }
    document.getElementById("shown").textContent = `${visible} of ${rows.length} rows`;
  }

  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sortBy(column)));
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
})();
