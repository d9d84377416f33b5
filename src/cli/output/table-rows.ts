// Rows as an aligned table for people. The first rows decide the widths, so that any number of rows
// is printed as it comes.
import { type ColumnBatch, isPresent } from "../../format/column-batch.ts";
import type { Field, TableSchema } from "../../format/schema.ts";
import { createTextFormatter } from "../row-text.ts";
import type { ByteOutput } from "./byte-output.ts";
import type { RowWriter } from "./row-writer.ts";
import {
  describeHidden,
  formatCell,
  layoutTable,
  renderTable,
  type TableColumn,
  type TableLayout,
} from "./text-table.ts";

/** Rows that are looked at before the first one is printed, and printed at a time from then on. */
const BLOCK_ROWS = 256;
/** A longer text is cut before it is laid out, where the terminal would cut it anyway. */
const LONGEST_CELL = 1000;

const RIGHT_KINDS: ReadonlySet<string> = new Set(["int", "long", "float", "double", "decimal"]);

/** Prints a table. On a terminal a longer value of a later block is cut to its column. */
export class TableWriter implements RowWriter {
  readonly #output: ByteOutput;
  readonly #columns: readonly TableColumn[];
  readonly #width: number | undefined;
  #layout: TableLayout | undefined;
  #rows: string[][] = [];

  constructor(output: ByteOutput, schema: TableSchema, width: number | undefined) {
    this.#output = output;
    this.#width = width;
    this.#columns = schema.fields.map(({ name, type }) => ({
      name,
      align: RIGHT_KINDS.has(type.kind) ? "right" : "left",
      isCut: type.kind === "string",
    }));
  }

  get note(): string | undefined {
    return this.#layout && describeHidden(this.#layout);
  }

  async write(batch: ColumnBatch): Promise<void> {
    const { fields } = batch.schema;
    const formatters = batch.columns.map((column, index) => {
      const text = createTextFormatter(fields[index] as Field, column);
      return (row: number): string => (isPresent(column, row) ? this.#cut(text(row)) : "null");
    });
    for (let row = 0; row < batch.rowCount; row += 1) {
      this.#rows.push(formatters.map((format) => format(row)));
      if (this.#rows.length >= BLOCK_ROWS) await this.#print();
    }
  }

  async close(): Promise<void> {
    if (this.#rows.length > 0 || !this.#layout) await this.#print();
  }

  #cut(text: string): string {
    const isCut = this.#width !== undefined && text.length > LONGEST_CELL;
    return formatCell(isCut ? text.slice(0, LONGEST_CELL) : text);
  }

  /** Widths stay as they are on a terminal; elsewhere they grow, so that nothing is cut. */
  #fit(rows: readonly (readonly string[])[]): TableLayout {
    const known = this.#layout;
    if (known && this.#width !== undefined) return known;
    const layout = layoutTable(this.#columns, rows, this.#width);
    if (!known) return layout;
    const widths = layout.widths.map((wide, index) =>
      Math.max(wide, known.widths[index] as number),
    );
    return { ...layout, widths };
  }

  async #print(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    const header = this.#layout === undefined;
    this.#layout = this.#fit(rows);
    await this.#output.write(renderTable(this.#layout, rows, { header }));
  }
}
