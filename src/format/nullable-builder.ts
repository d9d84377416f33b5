// What every builder of a column has in common: nulls, and how a refused value is told.
import { HudiError } from "../errors.ts";
import { bitmapBytes, clearBit } from "./bitmap.ts";
import type { Column } from "./column-batch.ts";
import { type Field, formatFieldType } from "./schema.ts";

/** Collects values of one field. A refused value throws `INVALID` without naming the row. */
export interface ColumnBuilder {
  append(value: unknown): void;
  /** Adds a null even where the field allows none; for rows of which only the key counts. */
  appendNull(): void;
  /** Bytes held so far, roughly. */
  readonly sizeBytes: number;
  finish(): Column;
}

/** Throws `INVALID` naming the column, what was found and what it takes. */
export function refuse(field: Field, value: unknown, expected: string): never {
  const found =
    value === null
      ? "null"
      : value === undefined
        ? "nothing"
        : typeof value === "object"
          ? Object.prototype.toString.call(value).slice(8, -1)
          : `${typeof value} ${String(value).slice(0, 40)}`;
  throw new HudiError(
    "INVALID",
    `column ${field.name} (${formatFieldType(field)}): found ${found}, expected ${expected}`,
  );
}

/** Keeps the bitmap of values that are present. */
export abstract class NullableBuilder implements ColumnBuilder {
  protected readonly field: Field;
  protected rowCount = 0;
  #validity: Uint8Array = new Uint8Array(8).fill(0xff);
  #nulls = 0;

  constructor(field: Field) {
    this.field = field;
  }

  abstract readonly sizeBytes: number;
  protected abstract place(value: unknown): void;
  protected abstract placeDefault(): void;
  protected abstract build(validity: Uint8Array | undefined): Column;

  append(value: unknown): void {
    if (value === null) {
      if (!this.field.nullable) refuse(this.field, value, "a value: the column is not nullable");
      this.appendNull();
    } else if (value === undefined) {
      refuse(this.field, value, this.field.nullable ? "a value or null" : "a value");
    } else {
      this.place(value);
      this.rowCount += 1;
      if (this.rowCount > this.#validity.length * 8) this.#grow();
    }
  }

  appendNull(): void {
    this.placeDefault();
    const row = this.rowCount;
    this.rowCount += 1;
    if (this.rowCount > this.#validity.length * 8) this.#grow();
    clearBit(this.#validity, row);
    this.#nulls += 1;
  }

  finish(): Column {
    return this.build(
      this.#nulls === 0 ? undefined : this.#validity.slice(0, bitmapBytes(this.rowCount)),
    );
  }

  #grow(): void {
    const larger = new Uint8Array(this.#validity.length * 2).fill(0xff);
    larger.set(this.#validity);
    this.#validity = larger;
  }
}
