// Rows as JSON: a line each, or the list inside one document. Rules: spec/protocol/cli.md, CLI-9.
import type { Column, ColumnBatch } from "../../format/column-batch.ts";
import type { Field, TableSchema } from "../../format/schema.ts";
import { createJsonFormatter } from "../row-text.ts";
import { type ByteOutput, TextOutput } from "./byte-output.ts";
import type { RowWriter } from "./row-writer.ts";

/** The JSON object of each row of a batch. */
export function createRowFormatter(batch: ColumnBatch): (row: number) => string {
  const { fields } = batch.schema;
  const formatters = batch.columns.map((column: Column, index) =>
    createJsonFormatter(fields[index] as Field, column),
  );
  const heads = fields.map(
    ({ name }, index) => `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`,
  );
  return (row) => {
    let text = "";
    for (let index = 0; index < formatters.length; index += 1) {
      text += heads[index] as string;
      text += (formatters[index] as (row: number) => string)(row);
    }
    return `${text}}`;
  };
}

/** One JSON object a line. */
export class JsonLinesWriter implements RowWriter {
  readonly #output: TextOutput;

  constructor(output: ByteOutput, _schema: TableSchema) {
    this.#output = new TextOutput(output);
  }

  async write(batch: ColumnBatch): Promise<void> {
    const format = createRowFormatter(batch);
    for (let row = 0; row < batch.rowCount; row += 1) {
      if (this.#output.add(`${format(row)}\n`)) await this.#output.flush();
    }
    await this.#output.flush();
  }

  close(): Promise<void> {
    return this.#output.flush();
  }
}

/** One JSON document whose member `rows` holds the rows; others follow it. */
export class JsonDocumentWriter implements RowWriter {
  readonly #output: TextOutput;
  readonly #summary: () => Promise<Record<string, unknown>>;
  #rowCount = 0;

  /** `summary` is asked for when all rows are written. */
  constructor(output: ByteOutput, summary: () => Promise<Record<string, unknown>>) {
    this.#output = new TextOutput(output);
    this.#summary = summary;
  }

  async write(batch: ColumnBatch): Promise<void> {
    const format = createRowFormatter(batch);
    for (let row = 0; row < batch.rowCount; row += 1) {
      const lead = this.#rowCount === 0 ? '{"rows":[\n' : ",\n";
      this.#rowCount += 1;
      if (this.#output.add(`${lead}${format(row)}`)) await this.#output.flush();
    }
    await this.#output.flush();
  }

  async close(): Promise<void> {
    const lead = this.#rowCount === 0 ? '{"rows":[' : "\n";
    const rest = JSON.stringify({ rowCount: this.#rowCount, ...(await this.#summary()) });
    this.#output.add(`${lead}],${rest.slice(1)}\n`);
    await this.#output.flush();
  }
}
