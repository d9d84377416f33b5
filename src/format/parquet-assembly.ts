// Puts a column with columns inside together from the levels and values of its leaves, whatever form
// its lists and maps have in the file. Rules: spec/format/parquet.md, PQ-16.
import { bitmapBytes, setBit } from "./bitmap.ts";
import { type Column, type FlatColumn, nullColumn } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { UnfitValueError } from "./parquet-value-conversion.ts";
import { childFields, type Field, isNested } from "./schema.ts";
import { ThriftError } from "./thrift-compact.ts";

/** What a leaf of a file holds. */
export interface LeafEntries {
  readonly definition: Uint8Array;
  readonly repetition: Uint8Array;
  /** The level at which a value is present. */
  readonly maxDefinition: number;
  /** The values that are present, in the type that was asked for; undefined where nobody asks. */
  readonly values: FlatColumn | undefined;
}

/** A column of a file that is to be put together, and where its parts are. */
export interface AssemblyNode {
  readonly field: Field;
  /** The level at which the column itself is present. */
  readonly definition: number;
  /** Any leaf in it: its levels tell of nulls and items. */
  readonly leaf: LeafEntries;
  /** Of a list or map: the level at which there is an item. */
  readonly itemDefinition?: number;
  /** The columns inside; undefined for one that the file lacks. */
  readonly children?: readonly (AssemblyNode | undefined)[];
}

/**
 * The column of a node whose slots begin at entries of these levels. `outer` is the level at which the
 * struct around it is present. Throws `UnfitValueError` for a null where the field allows none.
 */
export function assembleColumn(
  node: AssemblyNode,
  repetition: number,
  definition: number,
  outer: number = definition,
): Column {
  const { leaf, field } = node;
  const slots = countSlots(leaf, repetition, definition);
  if (!field.nullable) requireNoNulls(node, repetition, outer);
  const validity = field.nullable ? readValidity(node, repetition, definition, slots) : undefined;
  const base = { rowCount: slots, validity };
  if (!isNested(field.type))
    return { ...placeValues(node, repetition, definition, slots), ...base };
  const inside = childFields(field.type);
  const children = node.children as readonly (AssemblyNode | undefined)[];
  if (field.type.kind === "struct") {
    return {
      ...base,
      layout: "struct",
      children: inside.map((child, index) => {
        const part = children[index];
        if (!part) return nullColumn(child.type, slots);
        const column = assembleColumn(part, repetition, definition, node.definition);
        return requireSlots(column, slots);
      }),
    };
  }
  const itemDefinition = node.itemDefinition as number;
  const offsets = countItems(leaf, repetition, definition, itemDefinition, slots);
  const [item] = children;
  const items = offsets[slots] as number;
  const child = item
    ? requireSlots(assembleColumn(item, repetition + 1, itemDefinition), items)
    : nullColumn((inside[0] as Field).type, items);
  return { ...base, layout: "list", offsets, child };
}

/** The levels of all leaves have to tell of the same rows and items. */
function requireSlots(column: Column, slots: number): Column {
  if (column.rowCount === slots) return column;
  throw new ThriftError(`its levels tell of ${slots} and of ${column.rowCount} values`);
}

/** A slot begins at an entry of a row or item above, where that exists. */
function isSlot(leaf: LeafEntries, entry: number, repetition: number, definition: number): boolean {
  return (
    (leaf.repetition[entry] as number) <= repetition &&
    (leaf.definition[entry] as number) >= definition
  );
}

function countSlots(leaf: LeafEntries, repetition: number, definition: number): number {
  let slots = 0;
  for (let entry = 0; entry < leaf.definition.length; entry += 1) {
    if (isSlot(leaf, entry, repetition, definition)) slots += 1;
  }
  return slots;
}

/** A file may allow nulls that the table does not. */
function requireNoNulls(
  { field, leaf, definition }: AssemblyNode,
  depth: number,
  outer: number,
): void {
  if (definition <= outer) return;
  let row = -1;
  for (let entry = 0; entry < leaf.definition.length; entry += 1) {
    const level = leaf.definition[entry] as number;
    if (leaf.repetition[entry] === 0) row += 1;
    if (level >= outer && level < definition && (leaf.repetition[entry] as number) <= depth) {
      throw new UnfitValueError(row, `found null in ${field.name}, expected a value`);
    }
  }
}

function readValidity(
  node: AssemblyNode,
  repetition: number,
  definition: number,
  slots: number,
): Uint8Array | undefined {
  const { leaf } = node;
  const validity = new Uint8Array(bitmapBytes(slots));
  let slot = 0;
  let present = 0;
  for (let entry = 0; entry < leaf.definition.length; entry += 1) {
    if (!isSlot(leaf, entry, repetition, definition)) continue;
    if ((leaf.definition[entry] as number) >= node.definition) {
      setBit(validity, slot);
      present += 1;
    }
    slot += 1;
  }
  return present === slots ? undefined : validity;
}

function countItems(
  leaf: LeafEntries,
  repetition: number,
  definition: number,
  itemDefinition: number,
  slots: number,
): Int32Array {
  const offsets = new Int32Array(slots + 1);
  let slot = -1;
  let items = 0;
  for (let entry = 0; entry < leaf.definition.length; entry += 1) {
    if (isSlot(leaf, entry, repetition, definition)) {
      if (slot >= 0) offsets[slot + 1] = items;
      slot += 1;
    }
    if (isSlot(leaf, entry, repetition + 1, itemDefinition)) items += 1;
  }
  if (slot >= 0) offsets[slot + 1] = items;
  return offsets;
}

/** The values of a leaf, spread over its slots. */
function placeValues(
  node: AssemblyNode,
  repetition: number,
  definition: number,
  slots: number,
): FlatColumn {
  const { leaf, field } = node;
  const values = leaf.values as FlatColumn;
  if (values.rowCount === slots) return values;
  if (values.rowCount === 0) return nullColumn(field.type, slots) as FlatColumn;
  const picks = new Int32Array(slots);
  let slot = 0;
  let value = 0;
  for (let entry = 0; entry < leaf.definition.length; entry += 1) {
    if (!isSlot(leaf, entry, repetition, definition)) continue;
    if ((leaf.definition[entry] as number) >= leaf.maxDefinition) {
      picks[slot] = value;
      value += 1;
    }
    slot += 1;
  }
  return gatherColumn(values, undefined, picks) as FlatColumn;
}
