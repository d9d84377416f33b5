// Gives the columns and literals of a `--where` filter the types of a table, which makes a predicate.
import { HudiError, isHudiError } from "../errors.ts";
import { createColumnBuilder } from "../format/column-builder.ts";
import { type Field, findField, formatType, isText, type TableSchema } from "../format/schema.ts";
import { addMetaFields } from "../layout/record-key.ts";
import type { Predicate } from "../read/predicate.ts";
import { createTextReader } from "./row-values.ts";
import { parseTimestampText, timestampForm } from "./time-text.ts";
import type { WhereColumn, WhereExpression, WhereLiteral } from "./where-text.ts";

/** The predicate of a filter. Throws `INVALID` for unknown columns and literals of another type. */
export function bindWhere(expression: WhereExpression, schema: TableSchema): Predicate {
  const whole = addMetaFields(schema);
  const bind = (part: WhereExpression): Predicate => {
    switch (part.kind) {
      case "and":
      case "or":
        return { kind: part.kind, parts: part.parts.map(bind) };
      case "not":
        return { kind: "not", part: bind(part.part) };
      case "is-null":
        return { kind: "is-null", column: requireWhereField(part.column, whole).name };
      case "like": {
        const field = requireWhereField(part.column, whole);
        if (!isText(field.type)) throw unfit(field, part.column.at, "like", "a text column");
        return { kind: "like", column: field.name, pattern: part.literal.value };
      }
      case "in": {
        const field = requireWhereField(part.column, whole);
        const values = part.literals.map((literal) => bindLiteral(field, literal));
        return { kind: "in", column: field.name, values };
      }
      case "compare": {
        const field = requireWhereField(part.column, whole);
        const value = bindLiteral(field, part.literal);
        return { kind: "compare", column: field.name, operator: part.operator, value };
      }
    }
  };
  return bind(expression);
}

function requireWhereField(column: WhereColumn, schema: TableSchema): Field {
  const field = findField(schema, column.name);
  if (field) return field;
  const names = schema.fields
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("_hoodie_"));
  throw new HudiError(
    "INVALID",
    `cannot use --where at character ${column.at + 1}: unknown column ${JSON.stringify(column.name)}, expected ${names.join(", ")}`,
  );
}

function unfit(field: Field, at: number, found: string, expected: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use --where at character ${at + 1}: column ${field.name} is ${formatType(field.type)} and found ${found}, expected ${expected}`,
  );
}

const EXAMPLES: Record<Field["type"]["kind"], string> = {
  string: "a text in single quotes",
  boolean: "true or false",
  int: "an integer from -2147483648 to 2147483647",
  long: "an integer of 64 bits",
  float: "a number, or 'NaN', 'Infinity', '-Infinity'",
  double: "a number, or 'NaN', 'Infinity', '-Infinity'",
  bytes: "bytes in base64, in single quotes",
  date: "a day such as '2024-01-31'",
  "time-millis": "a time such as '12:00:00.123'",
  "time-micros": "a time such as '12:00:00.123456'",
  "timestamp-millis": "a time such as '2024-01-31T12:00:00Z'",
  "timestamp-micros": "a time such as '2024-01-31T12:00:00Z'",
  "local-timestamp-millis": "a time such as '2024-01-31T12:00:00'",
  "local-timestamp-micros": "a time such as '2024-01-31T12:00:00'",
  fixed: "all bytes in base64, in single quotes",
  enum: "a symbol in single quotes",
  decimal: "digits such as 12.50",
  struct: "is null or is not null",
  list: "is null or is not null",
  map: "is null or is not null",
};

/** Which literals each type of column takes. */
const LITERAL_KINDS: Record<Field["type"]["kind"], readonly WhereLiteral["kind"][]> = {
  string: ["text"],
  boolean: ["boolean"],
  int: ["number"],
  long: ["number"],
  float: ["number", "text"],
  double: ["number", "text"],
  bytes: ["text"],
  date: ["text"],
  "time-millis": ["text"],
  "time-micros": ["text"],
  "timestamp-millis": ["text"],
  "timestamp-micros": ["text"],
  "local-timestamp-millis": ["text"],
  "local-timestamp-micros": ["text"],
  fixed: ["text"],
  enum: ["text"],
  decimal: ["number", "text"],
  struct: [],
  list: [],
  map: [],
};

/** The value that a row would have. Times without a zone are UTC. */
function bindLiteral(field: Field, literal: WhereLiteral): unknown {
  const { kind } = field.type;
  const found =
    literal.kind === "text" ? `'${literal.value.slice(0, 60)}'` : literal.value.slice(0, 60);
  const refuse = (): HudiError => {
    const scale =
      field.type.kind === "decimal" ? ` with at most ${field.type.scale} behind the point` : "";
    return unfit(field, literal.at, found, `${EXAMPLES[kind]}${scale}`);
  };
  if (!LITERAL_KINDS[kind].includes(literal.kind)) throw refuse();
  const form = timestampForm(kind);
  if (form) {
    const units = parseTimestampText(literal.value, { zoneless: true, form });
    if (units === undefined) throw refuse();
    return units;
  }
  try {
    const value = createTextReader(field)(literal.value);
    // Whatever a row of the column could not hold is refused here, where the place is known.
    createColumnBuilder({ ...field, nullable: false }).append(value);
    return value;
  } catch (error) {
    throw isHudiError(error, "INVALID") ? refuse() : error;
  }
}
