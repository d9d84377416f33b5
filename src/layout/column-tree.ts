// Columns and the columns inside them as a tree, edited by path: what changes of a schema are made of.
// Rules: spec/format/evolution.md, EV-1.
import { HudiError } from "../errors.ts";
import { type Field, formatType } from "../format/schema.ts";

/** Where a column goes among those beside it; without either, to the end. */
export interface ColumnPlace {
  readonly after?: string | undefined;
  readonly first?: true | undefined;
}

/** A field on its way, with the name that old files have it under, where that is another. */
export interface TrackedField extends Field {
  readonly oldName?: string;
}

/** The columns of a table as a tree that is edited by path. */
export class ColumnTree {
  fields: readonly TrackedField[];

  constructor(fields: readonly TrackedField[]) {
    this.fields = fields;
  }

  /** Replaces the one field that a path names. */
  editField(verb: string, path: string, edit: (field: TrackedField) => TrackedField): void {
    const { parent, name } = splitPath(path);
    const [holder] = parent === "" ? [] : [this.#find(parent)];
    if (holder?.type.kind === "list" && name === "element") {
      const { element } = holder.type;
      this.#replace(parent, { ...holder, type: { kind: "list", element: edit(element) } });
      return;
    }
    if (holder?.type.kind === "map" && name === "value") {
      const { value } = holder.type;
      this.#replace(parent, { ...holder, type: { kind: "map", value: edit(value) } });
      return;
    }
    this.editSiblings(verb, path, parent, (siblings) => {
      const field = requireSibling(verb, path, siblings, name);
      return siblings.map((sibling) => (sibling === field ? edit(field) : sibling));
    });
  }

  /** Replaces the columns of the table, or of the struct that a path names. */
  editSiblings(
    verb: string,
    path: string,
    parent: string,
    edit: (siblings: readonly TrackedField[]) => readonly TrackedField[],
  ): void {
    if (parent === "") {
      this.fields = edit(this.fields);
      return;
    }
    const holder = this.#find(parent);
    if (holder?.type.kind !== "struct") {
      const found = holder ? formatType(holder.type) : "no such column";
      throw refusal(verb, path, `${parent} is ${found}, expected a struct`);
    }
    this.#replace(parent, {
      ...holder,
      type: { kind: "struct", fields: edit(holder.type.fields) },
    });
  }

  #find(path: string): TrackedField | undefined {
    const [first, ...rest] = path.split(".");
    let field = this.fields.find(({ name }) => name === first);
    for (const step of rest) field = field && childNamed(field, step);
    return field;
  }

  #replace(path: string, field: TrackedField): void {
    const steps = path.split(".");
    const within = (siblings: readonly TrackedField[], at: number): readonly TrackedField[] =>
      siblings.map((sibling) =>
        sibling.name !== steps[at] ? sibling : at === steps.length - 1 ? field : below(sibling, at),
      );
    const below = (holder: TrackedField, at: number): TrackedField => {
      const { type } = holder;
      if (type.kind === "struct") {
        return { ...holder, type: { kind: "struct", fields: within(type.fields, at + 1) } };
      }
      if (type.kind === "list") {
        const [element] = within([{ ...type.element, name: "element" }], at + 1) as [Field];
        return { ...holder, type: { kind: "list", element } };
      }
      if (type.kind === "map") {
        const [value] = within([{ ...type.value, name: "value" }], at + 1) as [Field];
        return { ...holder, type: { kind: "map", value } };
      }
      return holder;
    };
    this.fields = within(this.fields, 0);
  }
}

/** The siblings with a field at its place, where the new or moved field goes. Throws `INVALID` for a neighbour that is not there. */
export function insert(
  verb: string,
  path: string,
  siblings: readonly TrackedField[],
  field: TrackedField,
  { after, first }: ColumnPlace,
): readonly TrackedField[] {
  if (first !== undefined && after !== undefined) {
    throw refusal(verb, path, "it is to be first and after another column");
  }
  if (first) return [field, ...siblings];
  if (after === undefined) return [...siblings, field];
  const at = siblings.findIndex(({ name }) => name === after);
  if (at < 0) {
    const names = siblings.map(({ name }) => name).join(", ");
    throw refusal(
      verb,
      path,
      `it is to stand after ${JSON.stringify(after)}, expected one of ${names}`,
    );
  }
  return [...siblings.slice(0, at + 1), field, ...siblings.slice(at + 1)];
}

export function requireSibling(
  verb: string,
  path: string,
  siblings: readonly TrackedField[],
  name: string,
): TrackedField {
  const field = siblings.find((sibling) => sibling.name === name);
  if (field) return field;
  const names = siblings.map((sibling) => sibling.name).join(", ");
  throw refusal(verb, path, `there is none, expected one of ${names}`);
}

export function refuseTwin(
  verb: string,
  path: string,
  siblings: readonly TrackedField[],
  name: string,
): void {
  const lower = name.toLowerCase();
  const twin = siblings.find((sibling) => sibling.name.toLowerCase() === lower);
  if (!twin) return;
  const fact = twin.name === name ? "there is one" : "they would differ in case only";
  throw refusal(verb, path, `found column ${twin.name}: ${fact}, expected another name`);
}

export function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const dot = path.lastIndexOf(".");
  return dot < 0
    ? { parent: "", name: path }
    : { parent: path.slice(0, dot), name: path.slice(dot + 1) };
}

function childNamed({ type }: Field, step: string): TrackedField | undefined {
  if (type.kind === "struct") return type.fields.find(({ name }) => name === step);
  if (type.kind === "list") return step === "element" ? type.element : undefined;
  return type.kind === "map" && step === "value" ? type.value : undefined;
}

export function refusal(verb: string, path: string, fact: string): HudiError {
  return new HudiError("INVALID", `cannot ${verb} column ${JSON.stringify(path)}: ${fact}`);
}
