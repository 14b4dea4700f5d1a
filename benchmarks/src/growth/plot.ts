/** A line of a plot, in a panel of its own. */
export interface LineSeries {
  /** Of the points' values. */
  readonly key: string;
  readonly title: string;
  readonly unit: string;
}

/** What to draw. */
export interface Plot {
  readonly title: string;
  readonly xTitle: string;
  readonly series: readonly LineSeries[];
  readonly points: readonly { readonly x: string; readonly values: Readonly<Record<string, number>> }[];
}

const width = 760;
const left = 90;
const right = 30;
const panelHeight = 150;
const panelGap = 46;
const top = 46;
const bottom = 56;

/** An SVG with a panel for each series: its values from 0 up, over points at equal distances. */
export function plotSvg({ title, xTitle, series, points }: Plot): string {
  const height = top + series.length * (panelHeight + panelGap) + bottom;
  const panels = series.map((each, index) => panel(each, points, top + index * (panelHeight + panelGap)));
  const xs = labels(points.map(({ x }) => x));
  const axisY = height - bottom + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${left}" y="20" font-size="15" font-weight="bold">${escaped(title)}</text>
${panels.join("\n")}
${xs.map(({ text, index }) => `<text x="${xAt(index, points.length)}" y="${axisY}" text-anchor="middle">${escaped(text)}</text>`).join("\n")}
<text x="${(left + width - right) / 2}" y="${axisY + 24}" text-anchor="middle" fill="#555">${escaped(xTitle)}</text>
</svg>
`;
}

function panel({ key, title, unit }: LineSeries, points: Plot["points"], y: number): string {
  const found = points.flatMap(({ values }, index) => {
    const value = values[key];
    return value === undefined || !Number.isFinite(value) ? [] : [{ index, value }];
  });
  const most = niceCeiling(Math.max(0, ...found.map(({ value }) => value)));
  const floor = y + 20 + panelHeight - 20;
  const yAt = (value: number): number => floor - (value / most) * (panelHeight - 20);
  const at = ({ index, value }: { index: number; value: number }): string =>
    `${xAt(index, points.length).toFixed(1)},${yAt(value).toFixed(1)}`;
  const grid = [0, 0.5, 1].map((share) => {
    const lineY = yAt(share * most);
    return `<line x1="${left}" x2="${width - right}" y1="${lineY}" y2="${lineY}" stroke="#ddd"/><text x="${left - 8}" y="${lineY + 4}" text-anchor="end" fill="#555">${short(share * most)}</text>`;
  });
  // Many points speak for themselves as a line.
  const isFew = points.length <= 16;
  const marks = isFew
    ? found.map((point) => {
        const [x, markY] = at(point).split(",");
        return `<circle cx="${x}" cy="${markY}" r="3" fill="#1663b0"/><text x="${x}" y="${Number(markY) - 7}" text-anchor="middle" font-size="11">${short(point.value)}</text>`;
      })
    : [];
  return [
    `<text x="${left}" y="${y + 6}" font-weight="bold">${escaped(title)}, ${escaped(unit)}</text>`,
    ...grid,
    `<polyline fill="none" stroke="#1663b0" stroke-width="1.6" points="${found.map(at).join(" ")}"/>`,
    ...marks,
  ].join("\n");
}

function xAt(index: number, count: number): number {
  const room = width - left - right;
  return count === 1 ? left + room / 2 : left + 24 + (index / (count - 1)) * (room - 48);
}

/** At most ten of them, the first and the last among them. */
function labels(xs: readonly string[]): { text: string; index: number }[] {
  const step = Math.ceil(xs.length / 10);
  return xs.flatMap((text, index) => (index % step === 0 ? [{ text, index }] : []));
}

/** The next 1, 2 or 5 with noughts. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((digit) => digit * power >= value) ?? 10) * power;
}

function short(value: number): string {
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
