// The changes of a schema that rows with other columns ask for. Rules: spec/format/evolution.md, EV-9.
import {
  createTableSchema,
  type Field,
  formatFieldType,
  formatType,
  type TableSchema,
} from "../format/schema.ts";
import type { SchemaChange } from "./schema-change.ts";
import { findWidening } from "./type-widening.ts";

/** The changes that let a table take rows of these columns: new columns, wider types, nulls. */
export function findNeededChanges(
  schema: TableSchema,
  fields: Readonly<Record<string, string>>,
): SchemaChange[] {
  const wanted = createTableSchema("rows", fields);
  const changes: SchemaChange[] = [];
  compareFields("", schema.fields, wanted.fields, changes);
  return changes;
}

function compareFields(
  prefix: string,
  fields: readonly Field[],
  wanted: readonly Field[],
  changes: SchemaChange[],
): void {
  for (const field of wanted) {
    const path = `${prefix}${field.name}`;
    const known = fields.find(({ name }) => name === field.name);
    if (!known) changes.push({ add: path, type: formatFieldType({ ...field, nullable: true }) });
    else compareField(path, known, field, changes);
  }
}

function compareField(path: string, known: Field, wanted: Field, changes: SchemaChange[]): void {
  const [a, b] = [known.type, wanted.type];
  if (a.kind === "struct" && b.kind === "struct") {
    compareFields(`${path}.`, a.fields, b.fields, changes);
  } else if (a.kind === "list" && b.kind === "list") {
    compareField(`${path}.element`, a.element, b.element, changes);
  } else if (a.kind === "map" && b.kind === "map") {
    compareField(`${path}.value`, a.value, b.value, changes);
  } else if (findWidening(b, a) !== "same" && findWidening(b, a) !== "exact") {
    // A narrower type of the rows fits into the wider one of the table as it is.
    changes.push({ widen: path, to: formatType(b) });
  }
  if (wanted.nullable && !known.nullable) changes.push({ nullable: path });
}
