// The one legend of the page: which families are seen, in all figures and in the table at once.

const MANY_FAMILIES = 30;

function startLegend() {
  const legend = document.getElementById("legend");
  const box = document.getElementById("families");
  const count = document.getElementById("families-shown");
  const sizes = new Map();
  const networks = grouped(ROWS, (row) => rows.family[row]);
  for (const [family, found] of networks) sizes.set(family, new Set(found.map((row) => rows.architecture[row])).size);
  const families = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a.localeCompare(b, "en"));

  const chips = new Map(families.map((family) => {
    const dot = element("i");
    const style = data.styles[family];
    if (style) Object.assign(dot.style, { background: style.fill, borderColor: style.edge === "#ffffff" ? style.fill : "var(--ink)" });
    const chip = element("button", { type: "button", className: "chip", title: `${family}: ${counted(sizes.get(family), "network")}` });
    chip.append(dot, clipped(family, 28), element("small", { textContent: ` ${sizes.get(family)}` }));
    chip.addEventListener("click", (event) => (event.altKey ? only(family) : toggle(family)));
    chip.addEventListener("dblclick", () => only(family));
    return [family, chip];
  }));

  const toggle = (family) => {
    if (!state.hidden.delete(family)) state.hidden.add(family);
    tell("filter");
  };
  const only = (family) => {
    state.hidden = new Set(families.filter((each) => each !== family));
    tell("filter");
  };
  const refresh = () => {
    for (const [family, chip] of chips) chip.setAttribute("aria-pressed", String(!state.hidden.has(family)));
    const seen = families.length - state.hidden.size;
    count.textContent = seen === families.length ? `all ${seen}` : `${seen} of ${families.length}`;
  };

  box.append(...chips.values());
  document.getElementById("all-families").addEventListener("click", () => { state.hidden = new Set(); tell("filter"); });
  const search = document.getElementById("family-search");
  search.hidden = families.length <= MANY_FAMILIES;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const [family, chip] of chips) chip.hidden = !family.toLowerCase().includes(wanted);
  });
  const published = document.getElementById("published");
  published.closest("label").hidden = !BOTH;
  published.addEventListener("change", () => { state.published = published.checked; tell("filter"); });
  legend.open = !coarse && innerWidth > 700;
  on("filter", refresh);
  refresh();
}
