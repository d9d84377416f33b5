// How a column with columns inside stands in a Parquet file: the elements of its schema and its leaves,
// in the three-level form of lists and maps. Rules: spec/format/parquet.md, PQ-15.
import { CONVERTED, LOGICAL, REPETITION } from "./parquet-codes.ts";
import { encodeFieldElement } from "./parquet-column-type.ts";
import type { SchemaElement } from "./parquet-footer.ts";
import { childFields, type Field, isNested } from "./schema.ts";

/** A column of values inside a column, or the column itself. */
export interface Leaf {
  /** Names from the column down. */
  readonly path: readonly string[];
  /** Name, type and nullability of the values. */
  readonly field: Field;
  /** The level at which a value is present. */
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

/** The schema elements of a column, each before those inside it. */
export function encodeFieldElements(field: Field): SchemaElement[] {
  const { type, name } = field;
  if (!isNested(type)) return [encodeFieldElement(field)];
  const repetition = field.nullable ? REPETITION.optional : REPETITION.required;
  const inside = childFields(type);
  switch (type.kind) {
    case "struct":
      return [
        { name, repetition, childCount: inside.length },
        ...inside.flatMap(encodeFieldElements),
      ];
    case "list":
      return [
        {
          name,
          repetition,
          childCount: 1,
          convertedType: CONVERTED.list,
          logical: { member: LOGICAL.list },
        },
        { name: LIST_NAME, repetition: REPETITION.repeated, childCount: 1 },
        ...encodeFieldElements({ ...type.element, name: ELEMENT_NAME }),
      ];
    case "map":
      return [
        {
          name,
          repetition,
          childCount: 1,
          convertedType: CONVERTED.map,
          logical: { member: LOGICAL.map },
        },
        ...entryElements(inside[0] as Field),
      ];
  }
}

function entryElements(entry: Field): SchemaElement[] {
  const [group, ...rest] = encodeFieldElements(entry) as [SchemaElement, ...SchemaElement[]];
  return [{ ...group, repetition: REPETITION.repeated }, ...rest];
}

const LIST_NAME = "list";
const ELEMENT_NAME = "element";

/** The leaves of a column, in the order of the file. */
export function leavesOf(field: Field): Leaf[] {
  return collectLeaves(field, [field.name], 0, 0);
}

function collectLeaves(
  field: Field,
  path: readonly string[],
  definition: number,
  repetition: number,
): Leaf[] {
  const { type } = field;
  const own = definition + (field.nullable ? 1 : 0);
  if (!isNested(type)) return [{ path, field, maxDefinition: own, maxRepetition: repetition }];
  switch (type.kind) {
    case "struct":
      return type.fields.flatMap((child) =>
        collectLeaves(child, [...path, child.name], own, repetition),
      );
    case "list": {
      const names = [...path, LIST_NAME, ELEMENT_NAME];
      return collectLeaves(type.element, names, own + 1, repetition + 1);
    }
    case "map": {
      const [entry] = childFields(type) as [Field];
      return collectLeaves(entry, [...path, entry.name], own + 1, repetition + 1);
    }
  }
}
