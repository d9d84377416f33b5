// The matrix of shape and engine: what was compared with what result, as text and as markdown.

import { appendFile, writeFile } from "node:fs/promises";

/** What became of one comparison. */
export type MatrixCell =
  /** Equal row for row; `notes` are footnotes, in full. */
  | { readonly kind: "equal"; readonly rowCount: number; readonly notes: readonly string[] }
  | { readonly kind: "different" | "failed"; readonly reason: string }
  /** The engine could not be had here. */
  | { readonly kind: "not-run"; readonly reason: string };

/** Rows are shapes, columns are engines. */
export class EngineMatrix {
  readonly title: string;
  readonly engines: readonly string[];
  readonly shapes: readonly string[];
  readonly #cells: Map<string, MatrixCell> = new Map();

  constructor(title: string, shapes: readonly string[], engines: readonly string[]) {
    this.title = title;
    this.shapes = shapes;
    this.engines = engines;
  }

  /** Keeps the result of one comparison. */
  record(shape: string, engine: string, cell: MatrixCell): void {
    if (!this.shapes.includes(shape) || !this.engines.includes(engine)) {
      throw new Error(`the matrix ${this.title} has no cell for ${shape} and ${engine}`);
    }
    this.#cells.set(JSON.stringify([shape, engine]), cell);
  }

  /**
   * What keeps the matrix from being whole: cells that are missing or not equal. Where an engine
   * that did not run is allowed, its cells do not count.
   */
  listGaps(allowNotRun: boolean): string[] {
    const gaps: string[] = [];
    if (this.shapes.length === 0 || this.engines.length === 0) gaps.push("it has no cells");
    for (const shape of this.shapes) {
      for (const engine of this.engines) {
        const cell = this.#find(shape, engine);
        if (cell?.kind === "equal" || (allowNotRun && cell?.kind === "not-run")) continue;
        gaps.push(`${shape} × ${engine}: ${cell ? describeCell(cell, []) : "missing"}`);
      }
    }
    return gaps;
  }

  /** The matrix as a markdown table with its footnotes. */
  format(): string {
    const notes: string[] = [];
    const rows = this.shapes.map((shape) => [
      shape,
      ...this.engines.map((engine) => {
        const cell = this.#find(shape, engine);
        return cell ? describeCell(cell, notes) : "missing";
      }),
    ]);
    const table = [["shape", ...this.engines], ...rows];
    const widths = (table[0] as string[]).map((_, column) =>
      Math.max(...table.map((row) => (row[column] as string).length)),
    );
    const line = (row: readonly string[]): string =>
      `| ${row.map((text, column) => text.padEnd(widths[column] as number)).join(" | ")} |`;
    const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
    const [head, ...body] = table.map(line);
    const footnotes = notes.map((note, index) => `${index + 1}. ${note}`);
    return [`## ${this.title}`, "", head, rule, ...body, "", ...footnotes, ""].join("\n");
  }

  #find(shape: string, engine: string): MatrixCell | undefined {
    return this.#cells.get(JSON.stringify([shape, engine]));
  }
}

function describeCell(cell: MatrixCell, notes: string[]): string {
  if (cell.kind !== "equal") {
    const reason = cell.reason.split("\n")[0]?.replaceAll("|", "/").slice(0, 80) ?? "";
    return `${cell.kind === "not-run" ? "not run" : cell.kind.toUpperCase()}: ${reason}`;
  }
  const marks = cell.notes.map((note) => {
    if (!notes.includes(note)) notes.push(note);
    return `[${notes.indexOf(note) + 1}]`;
  });
  const unit = cell.rowCount === 1 ? "row" : "rows";
  return [`ok, ${cell.rowCount} ${unit}`, ...marks].join(" ");
}

/**
 * Prints a matrix to standard output, and adds it to the file that `HUDI_LAKE_MATRIX` names;
 * `isFirst` begins that file anew.
 */
export async function publishMatrix(matrix: EngineMatrix, isFirst: boolean): Promise<void> {
  const text = `${matrix.format()}\n`;
  process.stdout.write(`\n${text}`);
  const path = process.env.HUDI_LAKE_MATRIX;
  if (path) await (isFirst ? writeFile : appendFile)(path, text);
}
