// Aligned columns of text without frames, fitted to the width of a terminal.
import Table from "cli-table3";
import { displayWidth, escapeControls } from "./display-text.ts";

/** One column of a table. */
export interface TableColumn {
  readonly name: string;
  readonly align: "left" | "right";
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
  const least = natural.map((wide) => Math.min(wide, LEAST_WIDTH));
  let count = 1;
  while (count < columns.length && totalWidth(least.slice(0, count + 1)) <= width) count += 1;
  const cap = findCap(natural.slice(0, count), width);
  return {
    columns: columns.slice(0, count),
    widths: natural.slice(0, count).map((wide) => Math.min(wide, cap)),
    hidden: columns.slice(count).map(({ name }) => name),
  };
}

function totalWidth(widths: readonly number[]): number {
  return widths.reduce((sum, wide) => sum + wide, GAP.length * (widths.length - 1));
}

/** The greatest width to which columns may grow so that all of them fit. */
function findCap(natural: readonly number[], width: number): number {
  let cap = Math.max(...natural);
  const isTooWide = (): boolean => totalWidth(natural.map((wide) => Math.min(wide, cap))) > width;
  while (cap > LEAST_WIDTH && isTooWide()) cap -= 1;
  return Math.min(cap, width);
}

/** The lines of a table, with its header unless it was printed before. */
export function renderTable(
  layout: TableLayout,
  rows: readonly (readonly string[])[],
  options: { readonly header: boolean } = { header: true },
): string {
  const { columns, widths } = layout;
  const table = new Table({
    ...(options.header ? { head: columns.map(({ name }) => name) } : {}),
    colWidths: [...widths],
    colAligns: columns.map(({ align }) => align),
    chars: FRAMELESS,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  for (const row of rows) table.push(columns.map((_, index) => row[index] ?? ""));
  if (rows.length === 0 && !options.header) return "";
  const lines = table.toString().split("\n");
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

const FRAMELESS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "─",
  "mid-mid": GAP,
  right: "",
  "right-mid": "",
  middle: GAP,
};

/** A whole table at once, fitted to the width. */
export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const cells = rows.map((row) => row.map(formatCell));
  return renderTable(layoutTable(columns, cells, width), cells);
}
