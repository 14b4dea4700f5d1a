import { type Call, idleName } from "./call-tree.ts";

const width = 1_200;
const rowHeight = 16;
const top = 40;
/** Narrower ones cannot be seen. */
const narrowest = 0.6;
/** Of a letter, about. */
const letterWidth = 6.2;

/**
 * A flame graph: each call as wide as its share of the busy time, above its caller. Names and shares show up as the mouse is
 * over them. Time with nothing to do is told in the title, and left out.
 */
export function flameSvg(title: string, root: Call): string {
  const idle = root.calls.find(({ name }) => name === idleName)?.total ?? 0;
  const busy = Math.max(1, root.total - idle);
  const boxes: string[] = [];
  let deepest = 0;
  const draw = ({ name, total, calls }: Call, x: number, depth: number): void => {
    const boxWidth = (width * total) / busy;
    if (boxWidth < narrowest) return;
    deepest = Math.max(deepest, depth);
    const share = ((100 * total) / busy).toFixed(1);
    const letters = Math.floor((boxWidth - 4) / letterWidth);
    const label = letters < 4 ? "" : `<text x="${(x + 2).toFixed(1)}" y="-4">${escaped(name.slice(0, letters))}</text>`;
    boxes.push(
      `<g transform="translate(0 ${-depth * rowHeight})"><title>${escaped(name)}: ${share} %</title>` +
        `<rect x="${x.toFixed(1)}" y="${-rowHeight}" width="${boxWidth.toFixed(1)}" height="${rowHeight - 1}" fill="${colorOf(name)}"/>${label}</g>`,
    );
    let childX = x;
    for (const call of calls) {
      if (depth === 0 && call.name === idleName) continue;
      draw(call, childX, depth + 1);
      childX += (width * call.total) / busy;
    }
  };
  draw({ ...root, total: busy }, 0, 0);
  const height = top + (deepest + 1) * rowHeight + 10;
  const seconds = (root.total / 1e6).toFixed(1);
  const busyShare = ((100 * busy) / Math.max(1, root.total)).toFixed(0);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="10">
<rect width="${width}" height="${height}" fill="white"/>
<text x="8" y="22" font-size="15" font-weight="bold">${escaped(title)}: ${seconds} s, main thread busy for ${busyShare} %</text>
<g transform="translate(0 ${height - 6})">
${boxes.join("\n")}
</g>
</svg>
`;
}

/** Ours, packages, Node itself, and V8 apart from one another. */
function colorOf(name: string): string {
  if (name.startsWith("(")) return "#cfcfcf";
  if (name.includes(" node:")) return "#a8c8e8";
  if (!name.includes(" ")) return "#e8a0a0";
  return /(^| )(packages|apps|benchmarks)\//.test(name) ? "#f2c46d" : "#b5d9a5";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
