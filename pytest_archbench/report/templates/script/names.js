// Where names stand beside their blobs: greedily, the most important first, or not at all. Pixels, y downwards.

const NAME_SIZE = 10.5;
const NAME_LENGTH = 24;
const CELL = 4;
const MOST_COVERED = 0.2; // of a name's box, by other blobs: more could not be read
const DIRECTIONS = [[1, 0], [-1, 0], [0, -1], [0, 1], [0.72, -0.72], [0.72, 0.72], [-0.72, -0.72], [-0.72, 0.72]];

const ruler = document.createElement("canvas").getContext("2d");
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
function textWidth(text, size = NAME_SIZE) {
  ruler.font = `${size}px ${FONT}`;
  return ruler.measureText(text).width;
}

// How many blobs lie over each cell of a coarse grid: cheaper than comparing every name with every blob.
function coverage(blobs, width, height) {
  const across = Math.ceil(width / CELL);
  const down = Math.ceil(height / CELL);
  const cells = new Uint8Array(across * down);
  for (const { x, y, radius } of blobs) {
    const reach = Math.max(radius * 0.9, 2);
    for (let row = Math.max(0, Math.floor((y - reach) / CELL)); row <= Math.min(down - 1, (y + reach) / CELL); row += 1)
      for (let col = Math.max(0, Math.floor((x - reach) / CELL)); col <= Math.min(across - 1, (x + reach) / CELL); col += 1)
        cells[row * across + col] = 1;
  }
  return (box) => {
    let hit = 0;
    let all = 0;
    for (let row = Math.floor(box.top / CELL); row <= Math.min(down - 1, box.bottom / CELL); row += 1)
      for (let col = Math.floor(box.left / CELL); col <= Math.min(across - 1, box.right / CELL); col += 1) {
        hit += cells[row * across + col];
        all += 1;
      }
    return all ? hit / all : 1;
  };
}

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

// Boxes of `names`, each {x, y, radius, text} in order of importance, those that found a place with their centre. A name
// stands once: beside what was measured, where its published value is in the same panel.
function placed(names, blobs, width, height, directions = DIRECTIONS) {
  const covered = coverage(blobs, width, height);
  const taken = [];
  const written = new Set();
  for (const { x, y, radius, text } of names) {
    if (written.has(text) || x < 0 || x > width || y < 0 || y > height) continue;
    const half = { across: textWidth(text) / 2 + 2, down: NAME_SIZE * 0.62 };
    const free = directions.map(([right, down]) => {
      const centreX = x + right * (radius + 2) + Math.sign(right) * half.across;
      const centreY = y + down * (radius + 2) + Math.sign(down) * half.down;
      return {
        text, centreX, centreY,
        left: centreX - half.across, right: centreX + half.across, top: centreY - half.down, bottom: centreY + half.down,
      };
    })
      .filter((box) => box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height)
      .filter((box) => !taken.some((other) => overlap(box, other)))
      .map((box, order) => ({ ...box, price: covered(box) + order / 100 }))
      .filter((box) => box.price < MOST_COVERED + 0.08)
      .sort((a, b) => a.price - b.price);
    if (!free.length) continue;
    taken.push(free[0]);
    written.add(text);
  }
  return taken;
}
