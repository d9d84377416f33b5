// Builders of structs, lists and maps: each hands its parts on to builders of its own.
// Rules: spec/format/schema.md, SC-6.
import type { Column } from "./column-batch.ts";
import { requireItemCount } from "./column-batch.ts";
import { type ColumnBuilder, NullableBuilder, refuse } from "./nullable-builder.ts";
import { childFields, type Field, type NestedType } from "./schema.ts";

/** Makes the builder of a column inside. */
export type BuilderFactory = (field: Field) => ColumnBuilder;

/** Names a column inside by its path, for messages. */
function inside(outer: Field, child: Field): Field {
  return { ...child, name: `${outer.name}.${child.name}` };
}

/** Objects with the fields of the struct, no others. */
export class StructBuilder extends NullableBuilder {
  readonly #children: readonly { readonly name: string; readonly builder: ColumnBuilder }[];
  readonly #known: ReadonlySet<string>;

  constructor(field: Field, create: BuilderFactory) {
    super(field);
    const fields = childFields(field.type as NestedType);
    this.#known = new Set(fields.map(({ name }) => name));
    this.#children = fields.map((child) => ({
      name: child.name,
      builder: create(inside(field, child)),
    }));
  }

  get sizeBytes(): number {
    return this.#children.reduce((sum, { builder }) => sum + builder.sizeBytes, 0);
  }
  protected place(value: unknown): void {
    if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) {
      refuse(this.field, value, "an object");
    }
    const object = value as Record<string, unknown>;
    for (const name in object) {
      if (!this.#known.has(name)) {
        refuse(this.field, name, `one of ${[...this.#known].join(", ")}`);
      }
    }
    for (const { name, builder } of this.#children) {
      builder.append(Object.hasOwn(object, name) ? object[name] : undefined);
    }
  }
  protected placeDefault(): void {
    for (const { builder } of this.#children) builder.appendNull();
  }
  protected build(validity: Uint8Array | undefined): Column {
    const children = this.#children.map(({ builder }) => builder.finish());
    return { layout: "struct", rowCount: this.rowCount, validity, children };
  }
}

/** The offsets of lists and maps. */
abstract class ItemsBuilder extends NullableBuilder {
  protected items = 0;
  #offsets: Int32Array = new Int32Array(65);

  protected abstract finishItems(): Column;

  protected placeDefault(): void {
    const row = this.rowCount;
    if (row + 1 >= this.#offsets.length) {
      const larger = new Int32Array(this.#offsets.length * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    requireItemCount(this.items);
    this.#offsets[row + 1] = this.items;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const offsets = this.#offsets.slice(0, this.rowCount + 1);
    return {
      layout: "list",
      rowCount: this.rowCount,
      validity,
      offsets,
      child: this.finishItems(),
    };
  }
}

/** Arrays of elements. */
export class ListBuilder extends ItemsBuilder {
  readonly #element: ColumnBuilder;

  constructor(field: Field, create: BuilderFactory) {
    super(field);
    const [element] = childFields(field.type as NestedType) as [Field];
    this.#element = create(inside(field, element));
  }

  get sizeBytes(): number {
    return this.#element.sizeBytes + this.rowCount * 4;
  }
  protected place(value: unknown): void {
    if (!Array.isArray(value)) refuse(this.field, value, "an array");
    for (const item of value as readonly unknown[]) {
      this.#element.append(item);
      this.items += 1;
    }
    this.placeDefault();
  }
  protected finishItems(): Column {
    return this.#element.finish();
  }
}

/** Objects, or instances of Map, whose keys are texts. */
export class MapBuilder extends ItemsBuilder {
  readonly #key: ColumnBuilder;
  readonly #value: ColumnBuilder;

  constructor(field: Field, create: BuilderFactory) {
    super(field);
    const [entry] = childFields(field.type as NestedType) as [Field];
    const [key, value] = childFields(entry.type as NestedType) as [Field, Field];
    this.#key = create(inside(field, key));
    this.#value = create(inside(field, value));
  }

  get sizeBytes(): number {
    return this.#key.sizeBytes + this.#value.sizeBytes + this.rowCount * 4;
  }
  protected place(value: unknown): void {
    const isObject = typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
    if (!isObject) refuse(this.field, value, "an object or a Map");
    const entries =
      value instanceof Map ? value.entries() : Object.entries(value as Record<string, unknown>);
    for (const [key, item] of entries) {
      this.#key.append(key);
      this.#value.append(item);
      this.items += 1;
    }
    this.placeDefault();
  }
  protected finishItems(): Column {
    const children = [this.#key.finish(), this.#value.finish()];
    return { layout: "struct", rowCount: this.items, validity: undefined, children };
  }
}
