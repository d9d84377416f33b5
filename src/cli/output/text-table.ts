// Aligned columns of text without frames, fitted to the width of a terminal.
import { cutToWidth, displayWidth, escapeControls } from "./display-text.ts";

/** One column of a table. */
export interface TableColumn {
  readonly name: string;
  readonly align: "left" | "right";
  /** Cut where room is short: for text of any length. A number or an instant is shown whole. */
  readonly isCut?: boolean;
}

/** Columns with the width that each takes on a terminal. */
export interface TableLayout {
  readonly columns: readonly TableColumn[];
  readonly widths: readonly number[];
  /** Names of columns for which there is no room; they are the last ones. */
  readonly hidden: readonly string[];
}

const GAP = "  ";
/** A column is cut down to this width before columns are left out. */
const LEAST_WIDTH = 8;

/** A cell as it is shown: on one line, without characters that move the cursor. */
export function formatCell(text: string): string {
  return escapeControls(text);
}

/** Widths for these rows: as wide as the texts where there is room, else the widest are cut. */
export function layoutTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): TableLayout {
  const natural = columns.map(({ name }, index) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[index] ?? "")), displayWidth(name)),
  );
  if (width === undefined) return { columns, widths: natural, hidden: [] };
  const widthsUnder = (cap: number): number[] =>
    natural.map((wide, index) => (columns[index]?.isCut ? Math.min(wide, cap) : wide));
  const least = widthsUnder(LEAST_WIDTH);
  let count = 1;
  while (count < columns.length && totalWidth(least.slice(0, count + 1)) <= width) count += 1;
  let cap = Math.max(LEAST_WIDTH, ...natural.slice(0, count));
  while (cap > LEAST_WIDTH && totalWidth(widthsUnder(cap).slice(0, count)) > width) cap -= 1;
  return {
    columns: columns.slice(0, count),
    widths: widthsUnder(cap).slice(0, count),
    hidden: columns.slice(count).map(({ name }) => name),
  };
}

function totalWidth(widths: readonly number[]): number {
  return widths.reduce((sum, wide) => sum + wide, GAP.length * (widths.length - 1));
}

/** The lines of a table, with its header unless it was printed before. */
export function renderTable(
  layout: TableLayout,
  rows: readonly (readonly string[])[],
  options: { readonly header: boolean } = { header: true },
): string {
  const { columns, widths } = layout;
  const head = [columns.map(({ name }) => name), widths.map((wide) => RULE.repeat(wide))];
  let text = "";
  for (const row of options.header ? [...head, ...rows] : rows) text += renderLine(layout, row);
  return text;
}

const RULE = "─";

function renderLine({ columns, widths }: TableLayout, row: readonly string[]): string {
  let line = "";
  for (let index = 0; index < columns.length; index += 1) {
    const width = widths[index] as number;
    const cell = cutToWidth(row[index] ?? "", width);
    const space = " ".repeat(width - displayWidth(cell));
    if (index > 0) line += GAP;
    line += columns[index]?.align === "right" ? space + cell : cell + space;
  }
  return `${line.trimEnd()}\n`;
}

/** A whole table at once, fitted to the width; what it leaves out is said behind it. */
export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const cells = rows.map((row) => row.map(formatCell));
  const layout = layoutTable(columns, cells, width);
  const note = describeHidden(layout);
  return `${renderTable(layout, cells)}${note === undefined ? "" : `(${note})\n`}`;
}

/** Which columns are not shown, or undefined when all are. */
export function describeHidden({ hidden }: TableLayout): string | undefined {
  return hidden.length === 0 ? undefined : `no room for ${hidden.join(", ")}`;
}
