/** Plots as SVG text: axes, grid, lines, dots and a legend, for figures of a report. */

export interface Axis {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  readonly scale?: 'linear' | 'logarithmic';
  readonly tickText?: (value: number) => string;
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  readonly style: 'line' | 'dashed' | 'dots' | 'steps';
  readonly colour: Colour;
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Of Okabe and Ito: told apart by colour-blind readers too. */
const colours = { blue: '#0072b2', orange: '#d55e00', green: '#009e73', grey: '#666666', purple: '#aa4499' } as const;
export type Colour = keyof typeof colours;

const size = { width: 760, height: 490 };
const frame = { left: 74, right: 24, top: 124, bottom: 62 };
const font = 'font-family="Helvetica, Arial, sans-serif"';

export function svgOf(plot: Plot): string {
  const below = (legendRowsMax - legendRowsOf(plot.series)) * legendLine;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}">`,
    `<rect width="${size.width}" height="${size.height}" fill="#ffffff"/>`,
    text(frame.left, 28 + below, plot.title, { size: 18, weight: 'bold' }),
    text(frame.left, 50 + below, plot.subtitle, { size: 13, colour: '#444444' }),
    ...legendOf(plot.series),
    ...gridOf(plot),
    `<clipPath id="plot"><rect x="${frame.left}" y="${frame.top}" width="${inner.width}" height="${inner.height}"/></clipPath>`,
    '<g clip-path="url(#plot)">',
    ...plot.series.flatMap((series) => marksOf(plot, series)),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

const inner = { width: size.width - frame.left - frame.right, height: size.height - frame.top - frame.bottom };

function positionOf({ min, max, scale }: Axis, value: number): number {
  const of = (number: number): number => (scale === 'logarithmic' ? Math.log(number) : number);
  return (of(value) - of(min)) / (of(max) - of(min));
}

function xOf({ x }: Plot, value: number): number {
  return frame.left + positionOf(x, value) * inner.width;
}

function yOf({ y }: Plot, value: number): number {
  return frame.top + (1 - positionOf(y, value)) * inner.height;
}

function gridOf(plot: Plot): string[] {
  const [bottom, right] = [frame.top + inner.height, frame.left + inner.width];
  const vertical = plot.x.ticks.flatMap((tick) => {
    const at = xOf(plot, tick);
    return [line([at, frame.top], [at, bottom], '#e4e4e4'), text(at, bottom + 20, textOf(plot.x, tick), { anchor: 'middle' })];
  });
  const horizontal = plot.y.ticks.flatMap((tick) => {
    const at = yOf(plot, tick);
    return [line([frame.left, at], [right, at], '#e4e4e4'), text(frame.left - 10, at + 4, textOf(plot.y, tick), { anchor: 'end' })];
  });
  return [
    ...vertical,
    ...horizontal,
    line([frame.left, bottom], [right, bottom], '#222222'),
    line([frame.left, frame.top], [frame.left, bottom], '#222222'),
    text(frame.left + inner.width / 2, size.height - 16, plot.x.label, { anchor: 'middle', size: 14 }),
    `<g transform="translate(20 ${frame.top + inner.height / 2}) rotate(-90)">${text(0, 0, plot.y.label, { anchor: 'middle', size: 14 })}</g>`,
  ];
}

const [legendRowsMax, legendLine] = [3, 18];

function columnsOf(series: readonly Series[]): number {
  return series.some(({ name }) => name.length > 40) ? 1 : 2;
}

function legendRowsOf(series: readonly Series[]): number {
  return Math.ceil(series.length / columnsOf(series));
}

/** Right above the frame. */
function legendOf(series: readonly Series[]): string[] {
  const columns = columnsOf(series);
  return series.flatMap(({ name, style, colour }, index) => {
    const x = frame.left + (index % columns) * (inner.width / columns);
    const y = frame.top - legendLine * (legendRowsOf(series) - Math.floor(index / columns));
    const mark =
      style === 'dots'
        ? `<circle cx="${x + 12}" cy="${y - 4}" r="4" fill="${colours[colour]}"/>`
        : line([x, y - 4], [x + 24, y - 4], colours[colour], style === 'dashed' ? 'dashed' : 'bold');
    return [mark, text(x + 32, y, name, { size: 13 })];
  });
}

function marksOf(plot: Plot, { points, style, colour }: Series): string[] {
  const at = points.map(([x, y]) => [xOf(plot, x), yOf(plot, y)] as const);
  if (style === 'dots') return at.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="4" fill="${colours[colour]}"/>`);
  const path = at
    .map(([x, y], index) =>
      index === 0 ? `M${round(x)} ${round(y)}` : style === 'steps' ? `V${round(y)}H${round(x)}` : `L${round(x)} ${round(y)}`,
    )
    .join('');
  const dash = style === 'dashed' ? ' stroke-dasharray="7 5"' : '';
  return [`<path d="${path}" fill="none" stroke="${colours[colour]}" stroke-width="2.2" stroke-linejoin="round"${dash}/>`];
}

function line(from: readonly [number, number], to: readonly [number, number], colour: string, kind?: 'bold' | 'dashed'): string {
  const style = kind === undefined ? '' : ` stroke-width="2.2"${kind === 'dashed' ? ' stroke-dasharray="7 5"' : ''}`;
  return `<line x1="${round(from[0])}" y1="${round(from[1])}" x2="${round(to[0])}" y2="${round(to[1])}" stroke="${colour}"${style}/>`;
}

interface TextStyle {
  readonly size?: number;
  readonly weight?: 'bold';
  readonly anchor?: 'middle' | 'end';
  readonly colour?: string;
}

function text(x: number, y: number, content: string, { size: points = 12, weight, anchor, colour = '#111111' }: TextStyle): string {
  const style = `${weight === undefined ? '' : ` font-weight="${weight}"`}${anchor === undefined ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${round(x)}" y="${round(y)}" ${font} font-size="${points}" fill="${colour}"${style}>${escaped(content)}</text>`;
}

function textOf({ tickText = String }: Axis, tick: number): string {
  return tickText(tick);
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
