// Builders of values of any length: texts and bytes. Rules: spec/format/schema.md, SC-3.
import { HudiError } from "../errors.ts";
import type { Column } from "./column-batch.ts";
import { NullableBuilder, refuse } from "./nullable-builder.ts";

const MAX_COLUMN_BYTES = 0x7fff_ffff;

/** Values of any length: texts and bytes. */
abstract class SizedBuilder extends NullableBuilder {
  protected data: Buffer = Buffer.alloc(512);
  protected used = 0;
  #offsets: Int32Array = new Int32Array(65);

  get sizeBytes(): number {
    return this.used + this.rowCount * 4;
  }
  protected placeDefault(): void {
    const row = this.rowCount;
    if (row + 1 >= this.#offsets.length) {
      const larger = new Int32Array(this.#offsets.length * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[row + 1] = this.used;
  }
  protected reserve(extraBytes: number): void {
    const needed = this.used + extraBytes;
    if (needed > MAX_COLUMN_BYTES) {
      throw new HudiError(
        "INVALID",
        `column ${this.field.name}: more than 2 GiB of text in one batch, expected less; write in several calls`,
      );
    }
    if (needed <= this.data.length) return;
    const larger = Buffer.allocUnsafeSlow(
      Math.min(MAX_COLUMN_BYTES, Math.max(needed, this.data.length * 2)),
    );
    this.data.copy(larger, 0, 0, this.used);
    this.data = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    return {
      layout: "bytes",
      rowCount: this.rowCount,
      validity,
      offsets: this.#offsets.slice(0, this.rowCount + 1),
      // No Buffer: its `slice` would be a view.
      data: new Uint8Array(this.data.subarray(0, this.used)),
    };
  }
}

/** Texts, as UTF-8. */
export class StringBuilder extends SizedBuilder {
  protected place(value: unknown): void {
    if (typeof value !== "string") refuse(this.field, value, "a string");
    const text = value as string;
    if (!text.isWellFormed())
      refuse(this.field, value, "well-formed Unicode: it holds half a surrogate pair");
    const most = text.length * 3;
    if (this.used + most > this.data.length) this.reserve(Math.min(most, Buffer.byteLength(text)));
    this.used += this.data.write(text, this.used, "utf8");
    this.placeDefault();
  }
}

/** Texts that are one of the symbols. */
export class EnumBuilder extends StringBuilder {
  readonly #symbols: ReadonlySet<unknown> = new Set(
    (this.field.type as { readonly symbols: readonly string[] }).symbols,
  );

  protected override place(value: unknown): void {
    if (!this.#symbols.has(value)) {
      const names = [...this.#symbols].join(", ");
      const shown = names.length > 200 ? `${names.slice(0, 200)}...` : names;
      refuse(this.field, value, `one of ${shown}`);
    }
    super.place(value);
  }
}

/** Bytes as they are. */
export class BytesBuilder extends SizedBuilder {
  protected place(value: unknown): void {
    if (!(value instanceof Uint8Array)) refuse(this.field, value, "a Uint8Array");
    const bytes = value as Uint8Array;
    this.reserve(bytes.length);
    this.data.set(bytes, this.used);
    this.used += bytes.length;
    this.placeDefault();
  }
}
