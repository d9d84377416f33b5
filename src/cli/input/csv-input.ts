// CSV (RFC 4180) with a header line to rows: commas, double quotes, line breaks inside quotes. A bare
// empty field is null, a quoted one is the empty text. Rules: spec/protocol/cli.md, CLI-13.
import { HudiError } from "../../errors.ts";
import type { Field } from "../../format/schema.ts";
import { createTextReader, type TextReader } from "../row-values.ts";
import { CsvParser, type CsvRecord } from "./csv-parser.ts";
import type { InputSource } from "./input-source.ts";
import {
  createRowCheck,
  type InputRow,
  matchColumns,
  placeError,
  type RowShape,
} from "./row-shape.ts";

/** The rows of an input of CSV. Throws `INVALID` naming the line. */
export async function* readCsv(source: InputSource, shape: RowShape): AsyncGenerator<InputRow> {
  const parser = new CsvParser(source.name);
  let reader: CsvRowReader | undefined;
  const read = (record: CsvRecord): InputRow | undefined => {
    if (!reader) {
      reader = new CsvRowReader(record, shape, source.name);
      return undefined;
    }
    const row = reader.read(record);
    if (row) source.progress.rows += 1;
    return row;
  };
  for await (const chunk of source.chunks()) {
    for (const record of parser.push(chunk)) {
      const row = read(record);
      if (row) yield row;
    }
  }
  for (const record of parser.finish()) {
    const row = read(record);
    if (row) yield row;
  }
  if (!reader) {
    throw new HudiError(
      "INVALID",
      `cannot use ${source.name}: it is empty, expected a header line with column names`,
    );
  }
}

interface CsvColumn {
  readonly field: Field;
  readonly read: TextReader;
}

class CsvRowReader {
  readonly #columns: readonly (CsvColumn | undefined)[];
  readonly #check: ReturnType<typeof createRowCheck>;
  readonly #name: string;

  constructor(header: CsvRecord, shape: RowShape, name: string) {
    const names = header.fields.map((field) => field ?? "");
    const matched = matchColumns(names, shape, `the header of ${name}`);
    this.#columns = matched.map((field) => field && { field, read: createTextReader(field) });
    this.#check = createRowCheck(shape);
    this.#name = name;
  }

  /** The row, or undefined for an empty line that is no row. */
  read(record: CsvRecord): InputRow | undefined {
    const { fields, line } = record;
    const columns = this.#columns;
    const describe = (): string => `line ${line} of ${this.#name}`;
    if (fields.length !== columns.length) {
      if (fields.length === 1 && fields[0] === null) return undefined;
      throw new HudiError(
        "INVALID",
        `cannot use ${describe()}: found ${fields.length} fields, expected ${columns.length}`,
      );
    }
    const row: InputRow = Object.create(null);
    columns.forEach((column, index) => {
      if (!column) return;
      try {
        row[column.field.name] = readField(column, fields[index] as string | null);
      } catch (error) {
        throw placeError(error, describe());
      }
    });
    this.#check(row, describe);
    return row;
  }
}

function readField({ field, read }: CsvColumn, text: string | null): unknown {
  if (text !== null) return read(text);
  return field.nullable ? null : read("");
}
