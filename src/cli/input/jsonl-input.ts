// JSON lines to rows: one object a line, every value checked against the type of its column, integers
// of 64 bits exact. Rules: spec/protocol/cli.md, CLI-9 to CLI-11.
import { HudiError } from "../../errors.ts";
import { childFields, type Field, isNested } from "../../format/schema.ts";
import { parseExactJson } from "../../ingest/exact-json.ts";
import { createJsonReader, type JsonReader } from "../row-values.ts";
import type { InputSource } from "./input-source.ts";
import { LineSplitter } from "./line-splitter.ts";
import {
  createRowCheck,
  type InputRow,
  isMetaColumn,
  placeError,
  type RowShape,
  unknownColumn,
} from "./row-shape.ts";

/** The rows of an input of JSON lines; empty lines are passed over. Throws `INVALID` naming the line. */
export async function* readJsonLines(
  source: InputSource,
  shape: RowShape,
): AsyncGenerator<InputRow> {
  const splitter = new LineSplitter(source.name);
  const parser = new JsonRowParser(shape);
  let line = 0;
  const parse = (text: string): InputRow | undefined => {
    line += 1;
    if (text.trim() === "") return undefined;
    const row = parser.parse(text, () => `line ${line} of ${source.name}`);
    source.progress.rows += 1;
    return row;
  };
  for await (const chunk of source.chunks()) {
    for (const text of splitter.push(chunk)) {
      const row = parse(text);
      if (row) yield row;
    }
  }
  for (const text of splitter.finish()) {
    const row = parse(text);
    if (row) yield row;
  }
}

class JsonRowParser {
  readonly #shape: RowShape;
  readonly #columns: readonly JsonColumn[];
  readonly #known: ReadonlySet<string>;
  readonly #check: ReturnType<typeof createRowCheck>;

  constructor(shape: RowShape) {
    this.#shape = shape;
    this.#columns = shape.schema.fields.map((field) => ({
      field,
      read: createJsonReader(field),
      isRequired: shape.required.has(field.name),
      holdsLongs: isNested(field.type) && holdsLongs(field),
    }));
    this.#known = new Set(shape.schema.fields.map((field) => field.name));
    this.#check = createRowCheck(shape);
  }

  parse(text: string, describe: () => string): InputRow {
    const row = parseObject(text, describe);
    for (const name of Object.keys(row)) {
      if (this.#known.has(name)) continue;
      if (!isMetaColumn(name)) throw unknownColumn(name, this.#shape, describe());
      delete row[name];
    }
    let digits: InputRow | undefined;
    let exact: InputRow | undefined;
    for (const { field, read, isRequired, holdsLongs } of this.#columns) {
      const { name } = field;
      const hasValue = Object.hasOwn(row, name);
      if (!hasValue && !isRequired) continue;
      let value = hasValue ? row[name] : undefined;
      try {
        if (needsDigits(field, value)) {
          digits ??= parseDigits(text);
          value = readDigits(field, digits[name] as string) ?? value;
        } else if (holdsLongs && typeof value === "object" && value !== null) {
          exact ??= parseExactJson(text) as InputRow;
          value = exact[name];
        }
        row[name] = read(value);
      } catch (error) {
        throw placeError(error, describe());
      }
    }
    this.#check(row, describe);
    return row;
  }
}

interface JsonColumn {
  readonly field: Field;
  readonly read: JsonReader;
  readonly isRequired: boolean;
  /** Whether there are integers of 64 bits inside it. */
  readonly holdsLongs: boolean;
}

function holdsLongs({ type }: Field): boolean {
  return isNested(type) ? childFields(type).some(holdsLongs) : type.kind === "long";
}

function parseObject(text: string, describe: () => string): InputRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message.slice(0, 200);
    throw new HudiError("INVALID", `cannot use ${describe()}: found no valid JSON (${reason})`, {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as InputRow;
  throw new HudiError(
    "INVALID",
    `cannot use ${describe()}: found no JSON object, expected one row a line`,
  );
}

/** Whether a number lost digits on the way through a double, or may have. */
function needsDigits(field: Field, value: unknown): value is number {
  if (typeof value !== "number") return false;
  const { kind } = field.type;
  return kind === "decimal" || (kind === "long" && !Number.isSafeInteger(value));
}

/** The row again, with every number as the text it was written as. */
function parseDigits(text: string): InputRow {
  const keepDigits = (_key: string, value: unknown, context: { source?: string }): unknown =>
    typeof value === "number" ? context.source : value;
  try {
    return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) as InputRow;
  } catch (cause) {
    // Only a deep nest stops a text that was parsed before.
    throw new HudiError("INVALID", "found values nested too deep, expected one row a line", {
      cause,
    });
  }
}

/** The exact value of digits: a bigint for a long, a text for a decimal. */
function readDigits(field: Field, digits: string): bigint | string | undefined {
  if (field.type.kind === "decimal") return digits;
  return /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
}
