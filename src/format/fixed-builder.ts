// The builder of values of a given number of bytes. Rules: spec/format/schema.md, SC-3.
import type { Column } from "./column-batch.ts";
import { NullableBuilder, refuse } from "./nullable-builder.ts";
import { type Field, fixedWidthBytes } from "./schema.ts";

/** Bytes as they are, so many a value. */
export class FixedBuilder extends NullableBuilder {
  readonly #widthBytes: number;
  #data: Uint8Array;

  constructor(field: Field) {
    super(field);
    this.#widthBytes = fixedWidthBytes(field.type);
    this.#data = new Uint8Array(256 * this.#widthBytes);
  }

  get sizeBytes(): number {
    return this.rowCount * this.#widthBytes;
  }
  protected place(value: unknown): void {
    const expected = `a Uint8Array of ${this.#widthBytes} bytes`;
    if (!(value instanceof Uint8Array)) refuse(this.field, value, expected);
    const bytes = value as Uint8Array;
    if (bytes.length !== this.#widthBytes) {
      refuse(this.field, `of ${bytes.length} bytes`, expected);
    }
    this.placeDefault();
    this.#data.set(bytes, this.rowCount * this.#widthBytes);
  }
  protected placeDefault(): void {
    const end = (this.rowCount + 1) * this.#widthBytes;
    if (end <= this.#data.length) return;
    const larger = new Uint8Array(this.#data.length * 2);
    larger.set(this.#data);
    this.#data = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const { rowCount } = this;
    const widthBytes = this.#widthBytes;
    const data = this.#data.slice(0, rowCount * widthBytes);
    return { layout: "fixed", rowCount, validity, widthBytes, data };
  }
}
