// Reads a column with columns inside: finds its leaves in the file, decodes them and puts the column
// together. Rules: spec/format/parquet.md, PQ-16.
import type { Column, FlatColumn } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { type AssemblyNode, assembleColumn, type LeafEntries } from "./parquet-assembly.ts";
import { PAGE, REPETITION } from "./parquet-codes.ts";
import { findColumnType } from "./parquet-column-type.ts";
import { type FileNode, findGroupShape } from "./parquet-file-tree.ts";
import { unpackNumbers } from "./parquet-hybrid-reader.ts";
import { isDataPage, walkPages } from "./parquet-page.ts";
import { bitWidth, openPageBody } from "./parquet-page-body.ts";
import { createValueDecoder } from "./parquet-row-target.ts";
import { convertColumn, isReadableAs } from "./parquet-value-conversion.ts";
import { type Field, isNested } from "./schema.ts";
import { ThriftError } from "./thrift-compact.ts";

/** A part of a column that a reader asked for, and the node of the file that holds it. */
export interface NestedPlan {
  readonly field: Field;
  readonly node: FileNode;
  /** Of a list or map: the level at which there is an item. */
  readonly itemDefinition?: number;
  readonly children?: readonly (NestedPlan | undefined)[];
}

/** A chunk of a row group with its bytes. */
export interface LeafChunk {
  readonly bytes: Uint8Array;
  readonly codec: number;
  readonly valueCount: number;
}

/**
 * How a column is read from a node; a text says why it cannot be. `isItem` where the node is the
 * repeated one of a list or map and stands for the element itself.
 */
export function planNested(field: Field, node: FileNode, isItem = false): NestedPlan | string {
  const { type } = field;
  const { element } = node;
  // A repeated column without an annotation is a list that nobody can tell from others.
  if (!isItem && element.repetition === REPETITION.repeated) return `found ${field.name} repeated`;
  if (!isNested(type)) {
    const found = findColumnType(
      isItem ? { ...element, repetition: REPETITION.required } : element,
    );
    const isFit = node.leafIndex !== undefined && isReadableAs(found, type);
    return isFit ? { field, node } : `found ${found?.kind ?? "another type"} in ${field.name}`;
  }
  const shape = node.leafIndex === undefined ? findGroupShape(node) : undefined;
  // The struct inside a repeated group is that group.
  const kind = isItem && type.kind === "struct" ? "struct" : shape?.kind;
  if (kind !== type.kind)
    return `found ${kind ?? "a leaf"} in ${field.name}, expected ${type.kind}`;
  if (type.kind === "struct") return planStruct(field, node, type.fields);
  if (shape?.kind === "list" && type.kind === "list") {
    const item = planNested(type.element, shape.element, shape.element === shape.repeated);
    if (typeof item === "string") return item;
    return { field, node, itemDefinition: shape.repeated.definition, children: [item] };
  }
  if (shape?.kind !== "map" || type.kind !== "map") return `found another form in ${field.name}`;
  const key = planNested(KEY_FIELD, shape.key);
  const value = planNested(type.value, shape.value);
  if (typeof key === "string") return key;
  if (typeof value === "string") return value;
  const entry: Field = {
    id: 0,
    name: "key_value",
    type: { kind: "struct", fields: [KEY_FIELD, type.value] },
    nullable: false,
  };
  const inside: NestedPlan = { field: entry, node: shape.repeated, children: [key, value] };
  return { field, node, itemDefinition: shape.repeated.definition, children: [inside] };
}

const KEY_FIELD: Field = { id: 0, name: "key", type: { kind: "string" }, nullable: false };

function planStruct(field: Field, node: FileNode, fields: readonly Field[]): NestedPlan | string {
  const children: (NestedPlan | undefined)[] = [];
  for (const child of fields) {
    const inside = node.children.find(({ element }) => element.name === child.name);
    const plan = inside && planNested(child, inside);
    if (typeof plan === "string") return plan;
    if (!plan && !child.nullable) return `found no ${child.name} in ${field.name}`;
    children.push(plan);
  }
  return { field, node, children };
}

/** The leaves that a plan needs, by their place among the chunks of a row group. */
export function plannedLeaves(plan: NestedPlan): ReadonlyMap<number, FileNode> {
  const leaves = new Map<number, FileNode>();
  const collect = (part: NestedPlan): void => {
    const before = leaves.size;
    for (const child of part.children ?? []) if (child) collect(child);
    if (leaves.size > before && part.children) return;
    const leaf = firstLeaf(part.node);
    leaves.set(leaf.leafIndex as number, leaf);
  };
  collect(plan);
  return leaves;
}

function firstLeaf(node: FileNode): FileNode {
  let leaf = node;
  while (leaf.leafIndex === undefined) leaf = leaf.children[0] as FileNode;
  return leaf;
}

/** Decodes a column of a row group whole, and hands out its rows. */
export class NestedColumnReader {
  readonly #plan: NestedPlan;
  readonly #chunks: ReadonlyMap<number, LeafChunk>;
  readonly #rowCount: number;
  #column: Column | undefined;

  constructor(plan: NestedPlan, chunks: ReadonlyMap<number, LeafChunk>, rowCount: number) {
    this.#plan = plan;
    this.#chunks = chunks;
    this.#rowCount = rowCount;
  }

  /** Rows `from` to `to`. Throws as `ChunkDecoder.decode` does. */
  read(from: number, to: number): Column {
    this.#column ??= this.#decode();
    if (from === 0 && to === this.#rowCount) return this.#column;
    const rows = Int32Array.from({ length: to - from }, (_, row) => from + row);
    return gatherColumn(this.#column, undefined, rows);
  }

  #decode(): Column {
    const leaves = new Map<number, LeafEntries>();
    const fields = new Map<number, Field>();
    const collect = (plan: NestedPlan): void => {
      if (plan.node.leafIndex !== undefined) fields.set(plan.node.leafIndex, plan.field);
      for (const child of plan.children ?? []) if (child) collect(child);
    };
    collect(this.#plan);
    for (const [index, node] of plannedLeaves(this.#plan)) {
      const chunk = this.#chunks.get(index) as LeafChunk;
      leaves.set(index, decodeLeaf(chunk, node, fields.get(index)));
    }
    const column = assembleColumn(toAssembly(this.#plan, leaves), 0, 0);
    if (column.rowCount === this.#rowCount) return column;
    throw new ThriftError(`its levels tell of ${column.rowCount} rows, not ${this.#rowCount}`);
  }
}

function toAssembly(plan: NestedPlan, leaves: ReadonlyMap<number, LeafEntries>): AssemblyNode {
  const { field, node, itemDefinition } = plan;
  const needed = [...plannedLeaves(plan).keys()];
  const leaf = leaves.get(needed[0] as number) as LeafEntries;
  return {
    field,
    definition: node.definition,
    leaf,
    ...(itemDefinition !== undefined && { itemDefinition }),
    ...(plan.children && {
      children: plan.children.map((child) => child && toAssembly(child, leaves)),
    }),
  };
}

/** No writer makes chunks of so many values; one that claims them would cost memory without bytes. */
const MAX_CHUNK_VALUES = 2 ** 28;

/** The levels of a leaf, and its values in the type of the field, if one is given. */
function decodeLeaf(chunk: LeafChunk, node: FileNode, field: Field | undefined): LeafEntries {
  const { bytes, codec, valueCount } = chunk;
  if (valueCount > MAX_CHUNK_VALUES) throw new ThriftError(`it claims ${valueCount} values`);
  const pages = walkPages(bytes, valueCount, codec);
  const levels = { definition: node.definition, repetition: node.repetition };
  const definition = new Uint8Array(valueCount).fill(node.definition);
  const repetition = new Uint8Array(valueCount);
  const opened = pages.filter(isDataPage).map((page) => {
    const body = openPageBody(bytes, page, codec, levels);
    const { firstRow: at, valueCount: count } = page;
    if (body.definition) {
      readLevels(body.definition, node.definition, definition, at, count);
    }
    if (body.repetition) {
      readLevels(body.repetition, node.repetition, repetition, at, count);
    }
    let present = 0;
    for (let entry = at; entry < at + count; entry += 1) {
      if (definition[entry] === node.definition) present += 1;
    }
    return { page, body, present };
  });
  if (repetition[0] !== undefined && repetition[0] > 0) {
    throw new ThriftError("its first value belongs to a row before");
  }
  const entries = { definition, repetition, maxDefinition: node.definition };
  if (!field) return { ...entries, values: undefined };
  const dictionary = pages.find((page) => page.type === PAGE.dictionary);
  const words =
    dictionary && openPageBody(bytes, dictionary, codec, { definition: 0, repetition: 0 });
  const decoder = createValueDecoder(
    node.element,
    words && dictionary
      ? {
          bytes: words.bytes,
          start: 0,
          encoding: dictionary.encoding,
          count: dictionary.valueCount,
        }
      : undefined,
  );
  const total = opened.reduce((sum, { present }) => sum + present, 0);
  const target = decoder.begin(total);
  let row = 0;
  for (const { page, body, present } of opened) {
    const { encoding } = page;
    target.place(
      { bytes: body.bytes, start: body.valuesStart, encoding, count: present },
      0,
      present,
      row,
    );
    row += present;
  }
  const values = convertColumn(target.finish(undefined), node.element, field) as FlatColumn;
  return { ...entries, values };
}

function readLevels(
  encoded: Uint8Array,
  most: number,
  into: Uint8Array,
  at: number,
  count: number,
): void {
  const { numbers, greatest } = unpackNumbers(encoded, bitWidth(most), 0, count);
  if (greatest > most) throw new ThriftError(`found level ${greatest}, expected ${most} at most`);
  into.set(numbers, at);
}
