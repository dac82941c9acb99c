// Starts what the page does; without it the page is a document that reads and links its figures as files.

root.classList.add("scripted", "drawing");
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  print();
});
addEventListener("afterprint", printed);
startTable();
startLegend();
startRecommend();
on("filter", staleAll);
on("mark", ringAll);
startFigures();
