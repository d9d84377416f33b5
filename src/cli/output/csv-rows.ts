// Rows as CSV (RFC 4180, lines ended by a line feed): null is a bare empty field, the empty text a
// quoted one. Rules: spec/protocol/cli.md, CLI-13.
import { type ColumnBatch, isPresent } from "../../format/column-batch.ts";
import { type Field, isNested, type TableSchema } from "../../format/schema.ts";
import { createTextFormatter } from "../row-text.ts";
import { type ByteOutput, TextOutput } from "./byte-output.ts";
import type { RowWriter } from "./row-writer.ts";

/** A header line with the column names, then one record a row. */
export class CsvWriter implements RowWriter {
  readonly #output: TextOutput;
  readonly #header: string;
  #hasHeader = false;

  constructor(output: ByteOutput, schema: TableSchema) {
    this.#output = new TextOutput(output);
    this.#header = `${schema.fields.map((field) => field.name).join(",")}\n`;
  }

  async write(batch: ColumnBatch): Promise<void> {
    this.#writeHeader();
    const { fields } = batch.schema;
    const formatters = batch.columns.map((column, index) => {
      const field = fields[index] as Field;
      const text = createTextFormatter(field, column);
      const { type } = field;
      const mayNeedQuotes = type.kind === "string" || type.kind === "bytes" || isNested(type);
      const quote = mayNeedQuotes ? quoteField : (bare: string): string => bare;
      return (row: number): string => (isPresent(column, row) ? quote(text(row)) : "");
    });
    for (let row = 0; row < batch.rowCount; row += 1) {
      let line = "";
      for (let index = 0; index < formatters.length; index += 1) {
        if (index > 0) line += ",";
        line += (formatters[index] as (row: number) => string)(row);
      }
      if (this.#output.add(`${line}\n`)) await this.#output.flush();
    }
    await this.#output.flush();
  }

  async close(): Promise<void> {
    this.#writeHeader();
    await this.#output.flush();
  }

  #writeHeader(): void {
    if (!this.#hasHeader) this.#output.add(this.#header);
    this.#hasHeader = true;
  }
}

const NEEDS_QUOTES = /[",\r\n]|^$/;

function quoteField(text: string): string {
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
