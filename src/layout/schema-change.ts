// Changes of a table's columns: what they are, and the schema that they make of another one.
// Rules: spec/format/evolution.md, EV-1 to EV-6.
import { HudiError } from "../errors.ts";
import {
  type ColumnType,
  createTableSchema,
  type Field,
  formatType,
  isNested,
  lastFieldId,
  parseFieldType,
  type TableSchema,
} from "../format/schema.ts";
import {
  type ColumnPlace,
  ColumnTree,
  insert,
  refusal,
  refuseTwin,
  requireSibling,
  splitPath,
  type TrackedField,
} from "./column-tree.ts";
import { findWidening } from "./type-widening.ts";

/**
 * One change. A column inside another is named by its path: `address.city`, of a list
 * `tags.element`, of a map `prices.value`. Types are written as in the field list of a definition.
 */
export type SchemaChange =
  /** A new column, which old rows hold null in. */
  | (ColumnPlace & { readonly add: string; readonly type: string })
  /** A wider type. `inexact` allows one that rounds large numbers or takes bytes for text. */
  | { readonly widen: string; readonly to: string; readonly inexact?: boolean | undefined }
  /** The column may hold null from now on. */
  | { readonly nullable: string }
  | (ColumnPlace & { readonly move: string })
  | { readonly drop: string }
  /** The column gets another name, not another path. */
  | { readonly rename: string; readonly to: string };

/** Columns of which the layout of a table depends, by path. */
export interface ProtectedColumns {
  readonly recordKey: readonly string[];
  readonly partition: readonly string[];
  readonly ordering: readonly string[];
}

/** What one change does, for whoever has to judge it. */
export interface SchemaEffect {
  readonly kind: "add" | "widen" | "nullable" | "move" | "drop" | "rename";
  /** As it was before the change; of a new column, as it is then. */
  readonly path: string;
  /** Of `widen`: the types. */
  readonly from?: ColumnType;
  readonly to?: ColumnType;
  /** Of `add`: whether rows need a value in it. */
  readonly isRequired?: boolean;
}

/** A schema after changes, and what led to it. */
export interface EvolvedSchema {
  readonly schema: TableSchema;
  /**
   * The same columns and types under the names that files of the old schema have them under; one
   * that such a file must not be asked for is named `NO_COLUMN`.
   */
  readonly source: readonly Field[];
  readonly effects: readonly SchemaEffect[];
}

/** The name of no column: Avro has none without letters. */
export const NO_COLUMN = "";

/**
 * Applies changes one after the other. Throws `INVALID` naming the column for one that cannot be made
 * or that would lose data, and `UNSUPPORTED` for types that this library does not know.
 */
export function applySchemaChanges(
  schema: TableSchema,
  changes: readonly SchemaChange[],
  columns: ProtectedColumns,
): EvolvedSchema {
  if (!Array.isArray(changes) || changes.length === 0) {
    throw new HudiError(
      "INVALID",
      `cannot evolve table: found ${Array.isArray(changes) ? "no changes" : typeof changes}, expected a list such as [{ add: "note", type: "string?" }]`,
    );
  }
  const editor = new SchemaEditor(schema, columns);
  const effects = changes.map((change) => editor.apply(change));
  const fields = editor.fields.map(withoutTracks);
  return {
    schema: { name: schema.name, fields, lastFieldId: editor.lastId },
    source: editor.fields.map(withOldNames),
    effects,
  };
}

/** Says of a change which verb it has; exactly one. */
const VERBS: Readonly<Record<SchemaEffect["kind"], readonly string[]>> = {
  add: ["type", "after", "first"],
  widen: ["to", "inexact"],
  nullable: [],
  move: ["after", "first"],
  drop: [],
  rename: ["to"],
};

class SchemaEditor {
  readonly #tree: ColumnTree;
  lastId: number;
  readonly #protected: ProtectedColumns;

  constructor(schema: TableSchema, columns: ProtectedColumns) {
    this.#tree = new ColumnTree(schema.fields);
    this.lastId = lastFieldId(schema);
    this.#protected = columns;
  }

  get fields(): readonly TrackedField[] {
    return this.#tree.fields;
  }

  apply(change: SchemaChange): SchemaEffect {
    const { kind, path } = readVerb(change);
    switch (kind) {
      case "add":
        return this.#add(path, change as Extract<SchemaChange, { add: string }>);
      case "widen":
        return this.#widen(path, change as Extract<SchemaChange, { widen: string }>);
      case "nullable":
        return this.#allowNull(path);
      case "move":
        return this.#move(path, change as Extract<SchemaChange, { move: string }>);
      case "drop":
        return this.#drop(path);
      case "rename":
        return this.#rename(path, change as Extract<SchemaChange, { rename: string }>);
    }
  }

  #add(path: string, change: Extract<SchemaChange, { add: string }>): SchemaEffect {
    const { parent, name } = splitPath(path);
    // Checks the name and the type as those of a new table.
    const [made] = createTableSchema("evolved", { [name]: change.type }).fields as [Field];
    const field = { ...this.#withFreshIds(made), oldName: NO_COLUMN };
    this.#tree.editSiblings("add", path, parent, (siblings) => {
      refuseTwin("add", path, siblings, name);
      return insert("add", path, siblings, field, change);
    });
    return { kind: "add", path, isRequired: !made.nullable };
  }

  #widen(path: string, change: Extract<SchemaChange, { widen: string }>): SchemaEffect {
    const { type: to, nullable } = parseFieldType(path, change.to);
    let from = to;
    this.#tree.editField("widen", path, (field) => {
      from = field.type;
      const refuse = (fact: string): never => {
        throw refusal("widen", path, fact);
      };
      if (nullable && !field.nullable) {
        refuse(`it holds no nulls, expected ${formatType(to)} and a change of its own: nullable`);
      }
      const widening = findWidening(from, to);
      const names = `${formatType(from)} to ${formatType(to)}`;
      if (widening === "same") refuse(`it is ${formatType(from)} already`);
      if (widening === "none") {
        const inside = isNested(from) ? "; columns inside are widened by their path" : "";
        refuse(`${names} would lose values, add a column of the new type instead${inside}`);
      }
      if (widening === "inexact" && change.inexact !== true) {
        refuse(`${names} may change values that need more digits; say so with inexact: true`);
      }
      return { ...field, type: to };
    });
    const isKey = covers(path, this.#protected.recordKey);
    const keepsText = from.kind === "int" && to.kind === "long";
    if (isKey && !keepsText) {
      throw refusal("widen", path, "rows are found by its text, which only int to long keeps");
    }
    if (covers(path, this.#protected.ordering) && to.kind === "string") {
      throw refusal("widen", path, "texts have another order, which decides between versions");
    }
    if (covers(path, this.#protected.partition)) {
      throw refusal("widen", path, "folders of the table are named by its values");
    }
    return { kind: "widen", path, from, to };
  }

  #allowNull(path: string): SchemaEffect {
    if (covers(path, this.#protected.recordKey)) {
      throw refusal("make nullable", path, "it is part of the record key, which is never null");
    }
    this.#tree.editField("make nullable", path, (field) => {
      if (field.nullable) throw refusal("make nullable", path, "it may hold null already");
      return { ...field, nullable: true };
    });
    return { kind: "nullable", path };
  }

  #move(path: string, change: Extract<SchemaChange, { move: string }>): SchemaEffect {
    const { parent, name } = splitPath(path);
    this.#tree.editSiblings("move", path, parent, (siblings) => {
      const field = requireSibling("move", path, siblings, name);
      const others = siblings.filter((sibling) => sibling !== field);
      return insert("move", path, others, field, change);
    });
    return { kind: "move", path };
  }

  #drop(path: string): SchemaEffect {
    this.#refuseProtected("drop", path);
    const { parent, name } = splitPath(path);
    this.#tree.editSiblings("drop", path, parent, (siblings) => {
      const field = requireSibling("drop", path, siblings, name);
      if (siblings.length === 1) throw refusal("drop", path, "it is the only column there");
      return siblings.filter((sibling) => sibling !== field);
    });
    return { kind: "drop", path };
  }

  #rename(path: string, { to }: Extract<SchemaChange, { rename: string }>): SchemaEffect {
    this.#refuseProtected("rename", path);
    const { parent, name } = splitPath(path);
    createTableSchema("evolved", { [to]: "string" });
    this.#tree.editSiblings("rename", path, parent, (siblings) => {
      const field = requireSibling("rename", path, siblings, name);
      const others = siblings.filter((sibling) => sibling !== field);
      refuseTwin("rename", path, others, to);
      if (to === name) throw refusal("rename", path, "it has that name already");
      const renamed = { ...field, name: to, oldName: field.oldName ?? name };
      return siblings.map((sibling) => (sibling === field ? renamed : sibling));
    });
    return { kind: "rename", path };
  }

  #refuseProtected(verb: string, path: string): void {
    const { recordKey, partition, ordering } = this.#protected;
    const roles = [
      ["the record key", recordKey],
      ["the partition path", partition],
      ["the ordering field", ordering],
    ] as const;
    for (const [role, paths] of roles) {
      if (!covers(path, paths)) continue;
      throw refusal(verb, path, `the properties of the table name it as ${role}`);
    }
  }

  /** New columns get ids that no column of the table ever had. */
  #withFreshIds(field: Field): Field {
    this.lastId += 1;
    const id = this.lastId;
    const { type } = field;
    if (type.kind !== "struct") return { ...field, id };
    const fields = type.fields.map((child) => this.#withFreshIds(child));
    return { ...field, id, type: { kind: "struct", fields } };
  }
}

function readVerb(change: SchemaChange): { kind: SchemaEffect["kind"]; path: string } {
  const keys = Object.keys((change as object | null) ?? {});
  const verbs = keys.filter((key) => Object.hasOwn(VERBS, key)) as SchemaEffect["kind"][];
  const [kind] = verbs;
  const refuse = (fact: string): never => {
    const expected = Object.keys(VERBS).join(", ");
    throw new HudiError("INVALID", `cannot evolve table: ${fact}, expected one of ${expected}`);
  };
  if (kind === undefined || verbs.length > 1) {
    return refuse(`a change names ${verbs.length === 0 ? "nothing" : verbs.join(" and ")}`);
  }
  const path = (change as unknown as Record<string, unknown>)[kind];
  if (typeof path !== "string") return refuse(`${kind} is ${typeof path}, not a column`);
  const surplus = keys.find((key) => key !== kind && !VERBS[kind].includes(key));
  if (surplus !== undefined) {
    throw refusal(kind, path, `it has a member ${JSON.stringify(surplus)} that means nothing`);
  }
  return { kind, path };
}

/** Whether a column is one of these, or holds one of them. */
function covers(path: string, columns: readonly string[]): boolean {
  return columns.some((column) => column === path || column.startsWith(`${path}.`));
}

function mapInside(type: ColumnType, change: (field: TrackedField) => Field): ColumnType {
  switch (type.kind) {
    case "struct":
      return { kind: "struct", fields: type.fields.map(change) };
    case "list":
      return { kind: "list", element: change(type.element) };
    case "map":
      return { kind: "map", value: change(type.value) };
    default:
      return type;
  }
}

function withoutTracks(field: TrackedField): Field {
  const { id, name, type, nullable } = field;
  return { id, name, type: mapInside(type, withoutTracks), nullable };
}

function withOldNames(field: TrackedField): Field {
  const { id, name, oldName = name, type, nullable } = field;
  return { id, name: oldName, type: mapInside(type, withOldNames), nullable };
}
