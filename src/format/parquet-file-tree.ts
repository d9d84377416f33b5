// The schema of a file as a tree, and what its groups are: structs, and lists and maps in any of the
// forms that writers have used. Rules: spec/format/parquet.md, PQ-16.
import { CONVERTED, LOGICAL, REPETITION } from "./parquet-codes.ts";
import { findColumnType } from "./parquet-column-type.ts";
import type { ParquetFooter, SchemaElement } from "./parquet-footer.ts";
import type { ColumnType, Field } from "./schema.ts";

/** A group or a leaf of a file. */
export interface FileNode {
  readonly element: SchemaElement;
  /** The level at which it is present. */
  readonly definition: number;
  readonly repetition: number;
  /** Its place among the chunks of a row group; absent for a group. */
  readonly leafIndex: number | undefined;
  readonly children: readonly FileNode[];
}

/** Deeper schemas are refused: no table has them, and a damaged footer might. */
const MAX_DEPTH = 64;

/** The top-level columns of a file, or undefined when its elements are no tree. */
function buildFileTree(elements: readonly SchemaElement[]): readonly FileNode[] | undefined {
  let at = 1;
  let leaf = 0;
  const build = (definition: number, repetition: number, depth: number): FileNode | undefined => {
    const element = elements[at];
    if (!element || depth > MAX_DEPTH) return undefined;
    at += 1;
    const isRepeated = element.repetition === REPETITION.repeated;
    const own = definition + (element.repetition === REPETITION.required ? 0 : 1);
    const levels = { definition: own, repetition: repetition + (isRepeated ? 1 : 0) };
    if (element.physicalType !== undefined) {
      leaf += 1;
      return { element, ...levels, leafIndex: leaf - 1, children: [] };
    }
    const children: FileNode[] = [];
    for (let child = 0; child < (element.childCount ?? 0); child += 1) {
      const node = build(levels.definition, levels.repetition, depth + 1);
      if (!node) return undefined;
      children.push(node);
    }
    return { element, ...levels, leafIndex: undefined, children };
  };
  const columns: FileNode[] = [];
  for (let child = 0; child < (elements[0]?.childCount ?? 0); child += 1) {
    const node = build(0, 0, 0);
    if (!node) return undefined;
    columns.push(node);
  }
  return at === elements.length ? columns : undefined;
}

/** A top-level column of a file. */
export interface FileColumn {
  readonly name: string;
  readonly element: SchemaElement;
  readonly node: FileNode;
  /** Absent for a type that this library does not handle. */
  readonly type: ColumnType | undefined;
  readonly isNullable: boolean;
}

/** The top-level columns of a file, or undefined when the schema is no tree. */
export function findFileColumns(footer: ParquetFooter): readonly FileColumn[] | undefined {
  return buildFileTree(footer.elements)?.map((node) => {
    const { element } = node;
    return {
      name: element.name,
      element,
      node,
      type: element.repetition === REPETITION.repeated ? undefined : findNodeType(node),
      isNullable: element.repetition !== REPETITION.required,
    };
  });
}

/** What a group holds besides being a struct. */
export type GroupShape =
  | { readonly kind: "struct" }
  /** `repeated` is the group or leaf of an item, `element` what a value of the list is. */
  | { readonly kind: "list"; readonly repeated: FileNode; readonly element: FileNode }
  | {
      readonly kind: "map";
      readonly repeated: FileNode;
      readonly key: FileNode;
      readonly value: FileNode;
    };

/** The shape of a group, or undefined when it is annotated as what it cannot be. */
export function findGroupShape(node: FileNode): GroupShape | undefined {
  const { element, children } = node;
  const member = element.logical?.member;
  const [repeated] = children;
  const isOne = children.length === 1 && repeated?.element.repetition === REPETITION.repeated;
  if (element.convertedType === CONVERTED.list || member === LOGICAL.list) {
    return isOne ? { kind: "list", repeated, element: findListElement(node, repeated) } : undefined;
  }
  const isMap =
    element.convertedType === CONVERTED.map ||
    element.convertedType === CONVERTED.mapKeyValue ||
    member === LOGICAL.map;
  if (isMap) {
    const [key, value] = repeated?.children ?? [];
    return isOne && key && value ? { kind: "map", repeated, key, value } : undefined;
  }
  return { kind: "struct" };
}

/** Some writers repeat the element itself, without a group around it. */
function findListElement(list: FileNode, repeated: FileNode): FileNode {
  const [only, ...others] = repeated.children;
  if (!only || others.length > 0) return repeated;
  const { name } = repeated.element;
  if (name === "array" || name === `${list.element.name}_tuple`) return repeated;
  return only;
}

/** The type of a node, or undefined where it holds one that this library does not handle. */
export function findNodeType(node: FileNode): ColumnType | undefined {
  if (node.leafIndex !== undefined) {
    const { element } = node;
    const isItem = element.repetition === REPETITION.repeated;
    return findColumnType(isItem ? { ...element, repetition: REPETITION.required } : element);
  }
  const shape = findGroupShape(node);
  switch (shape?.kind) {
    case "struct": {
      const fields = node.children.map((child, id) => nodeField(child, id));
      const isWhole = fields.every((field) => field !== undefined) && fields.length > 0;
      return isWhole ? { kind: "struct", fields: fields as Field[] } : undefined;
    }
    case "list": {
      const element = nodeField(shape.element, 0, true);
      return element && { kind: "list", element: { ...element, name: "element" } };
    }
    case "map": {
      const value = nodeField(shape.value, 1);
      const key = findNodeType(shape.key);
      if (key?.kind !== "string" || !value) return undefined;
      return { kind: "map", value: { ...value, name: "value" } };
    }
    default:
      return undefined;
  }
}

function nodeField(node: FileNode, id: number, isItem = false): Field | undefined {
  const { name, repetition } = node.element;
  if (repetition === REPETITION.repeated && !isItem) return undefined;
  const type = findNodeType(node);
  return type && { id, name, type, nullable: repetition === REPETITION.optional };
}
