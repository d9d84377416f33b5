// What the rows of an input must look like, and the checks that can name the line of a bad one.
import { HudiError, isHudiError } from "../../errors.ts";
import type { Field, TableSchema } from "../../format/schema.ts";
import { topColumn } from "../../layout/key-text.ts";
import { formatPartitionPath } from "../../layout/partition-path.ts";
import { META_FIELDS } from "../../layout/record-key.ts";
import { isGlobalIndex, type TableConfig } from "../../layout/table-config.ts";

/** The columns of a table, and which of them a row may leave out. */
export interface RowShape {
  readonly schema: TableSchema;
  readonly config: TableConfig;
  /** Columns that every row has: all, or those that say which row is meant. */
  readonly required: ReadonlySet<string>;
}

/** A row on its way into a write. */
export type InputRow = Record<string, unknown>;

/** The shape of whole rows, or of rows that need only say which row is meant. */
export function createRowShape(
  schema: TableSchema,
  config: TableConfig,
  keysOnly: boolean,
): RowShape {
  const required = keysOnly
    ? [...config.recordKeyFields, ...(isGlobalIndex(config) ? [] : config.partitionFields)].map(
        topColumn,
      )
    : schema.fields.map((field) => field.name);
  return { schema, config, required: new Set(required) };
}

/** Whether a column of an input is one of Hudi's own, which a write makes anew. */
export function isMetaColumn(name: string): boolean {
  return META_FIELDS.includes(name);
}

/**
 * The fields of the table in the order of the columns of an input; undefined for a meta column.
 * Throws `INVALID` for unknown, repeated and missing columns; `place` names the input.
 */
export function matchColumns(
  names: readonly string[],
  shape: RowShape,
  place: string,
): (Field | undefined)[] {
  const fields = new Map(shape.schema.fields.map((field) => [field.name, field]));
  const seen = new Set<string>();
  const matched = names.map((name) => {
    if (isMetaColumn(name)) return undefined;
    const field = fields.get(name);
    if (!field) throw unknownColumn(name, shape, place);
    if (seen.has(name)) {
      throw new HudiError(
        "INVALID",
        `cannot use ${place}: found column ${name} twice, expected once`,
      );
    }
    seen.add(name);
    return field;
  });
  for (const name of shape.required) {
    if (seen.has(name)) continue;
    const expected = [...shape.required].join(", ");
    throw new HudiError(
      "INVALID",
      `cannot use ${place}: it lacks column ${name}, expected ${expected}`,
    );
  }
  return matched;
}

/** The error for a column that the table does not have. */
export function unknownColumn(name: string, shape: RowShape, place: string): HudiError {
  const columns = shape.schema.fields.map((field) => field.name).join(", ");
  return new HudiError(
    "INVALID",
    `cannot use ${place}: unknown column ${JSON.stringify(name.slice(0, 100))}, expected ${columns}`,
  );
}

/** Adds the place of a row to an error about one of its values. */
export function placeError(error: unknown, place: string): unknown {
  if (!isHudiError(error, "INVALID")) return error;
  return new HudiError("INVALID", `cannot use ${place}: ${error.message}`, { cause: error });
}

const MAX_KNOWN_PARTITIONS = 100_000;

/**
 * A check of key, partition and ordering value of one row. The library makes the same checks for
 * rows by number; this one comes first where an input has lines to name.
 */
export function createRowCheck(shape: RowShape): (row: InputRow, describe: () => string) => void {
  const { config, required, schema } = shape;
  const isWhole = required.size === schema.fields.length;
  const ordering = isWhole ? config.orderingField : undefined;
  const checkPartition = createPartitionCheck(config);
  const [keyField = "", ...others] = config.recordKeyFields;
  return (row, describe) => {
    // Of several columns each may be null or empty, but not all of them.
    const key = others.length === 0 ? row[keyField] : undefined;
    if (key === null || key === "") {
      const found = key === null ? "null" : "empty";
      throw new HudiError(
        "INVALID",
        `cannot use ${describe()}: record key ${keyField} is ${found}, expected a value`,
      );
    }
    if (ordering !== undefined && row[ordering] === null) {
      throw new HudiError(
        "INVALID",
        `cannot use ${describe()}: ordering field ${ordering} is null, expected a value`,
      );
    }
    checkPartition(row, describe);
  };
}

/** A check of the texts that make folders: only text can hold what makes no folder name. */
function createPartitionCheck({
  keyGenerator,
  hiveStyle,
  urlEncode,
}: TableConfig): (row: InputRow, describe: () => string) => void {
  const columns = keyGenerator.partitions
    .filter(({ kind }) => kind === "simple")
    .map(({ name }) => ({
      style: { field: name, hiveStyle, urlEncode },
      known: new Set<string>(),
    }));
  return (row, describe) => {
    for (const { style, known } of columns) {
      const value = row[style.field];
      if (typeof value !== "string" || known.has(value)) continue;
      formatPartitionPath(value, style, describe);
      if (known.size < MAX_KNOWN_PARTITIONS) known.add(value);
    }
  };
}
