// The drawing library travels packed inside the page; its digest is in the page's security policy.

async function unpack() {
  const source = document.getElementById("library");
  if (!("DecompressionStream" in window)) throw new Error("this browser cannot unpack it");
  const packed = Uint8Array.from(atob(source.textContent.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = element("script", { textContent: await new Response(stream).text() });
  document.head.append(script);
  script.remove();
  source.remove();
  if (!window.Plotly) throw new Error("this browser does not run it");
}
