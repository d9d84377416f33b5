// Decimals: their builder, their bytes and their text. Rules: spec/format/schema.md, SC-3.
import type { Column } from "./column-batch.ts";
import { NullableBuilder, refuse } from "./nullable-builder.ts";
import { decimalWidthBytes, type Field } from "./schema.ts";

/** Texts of digits as big-endian two's complement. */
export class DecimalBuilder extends NullableBuilder {
  readonly #precision: number;
  readonly #scale: number;
  readonly #widthBytes: number;
  #data: Uint8Array;

  constructor(field: Field) {
    super(field);
    const { precision, scale } = field.type as { precision: number; scale: number };
    this.#precision = precision;
    this.#scale = scale;
    this.#widthBytes = decimalWidthBytes(precision);
    this.#data = new Uint8Array(64 * this.#widthBytes);
  }
  get sizeBytes(): number {
    return this.rowCount * this.#widthBytes;
  }
  protected place(value: unknown): void {
    const unscaled = typeof value === "string" ? this.#parse(value) : undefined;
    if (unscaled === undefined) {
      const whole = this.#precision - this.#scale;
      refuse(
        this.field,
        value,
        `a text of at most ${whole} digits, a point and ${this.#scale} digits`,
      );
    }
    this.placeDefault();
    writeBigEndian(this.#data, this.rowCount * this.#widthBytes, this.#widthBytes, unscaled);
  }
  #parse(text: string): bigint | undefined {
    const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
    if (!match) return undefined;
    const fraction = match[3] ?? "";
    if (fraction.length > this.#scale) return undefined;
    const digits = `${match[2]}${fraction.padEnd(this.#scale, "0")}`.replace(/^0+/, "");
    if (digits.length > this.#precision) return undefined;
    const magnitude = BigInt(digits === "" ? "0" : digits);
    return match[1] === "-" ? -magnitude : magnitude;
  }
  protected placeDefault(): void {
    const end = (this.rowCount + 1) * this.#widthBytes;
    if (end <= this.#data.length) return;
    const larger = new Uint8Array(this.#data.length * 2);
    larger.set(this.#data);
    this.#data = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const data = this.#data.slice(0, this.rowCount * this.#widthBytes);
    return {
      layout: "fixed",
      rowCount: this.rowCount,
      validity,
      widthBytes: this.#widthBytes,
      data,
    };
  }
}

/** Writes a value as big-endian two's complement. */
export function writeBigEndian(
  data: Uint8Array,
  start: number,
  widthBytes: number,
  value: bigint,
): void {
  let rest = value;
  for (let at = start + widthBytes - 1; at >= start; at -= 1) {
    data[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

/** Reads big-endian two's complement. */
export function readBigEndian(data: Uint8Array, start: number, widthBytes: number): bigint {
  let value = BigInt.asIntN(8, BigInt(data[start] as number));
  for (let at = start + 1; at < start + widthBytes; at += 1) {
    value = (value << 8n) | BigInt(data[at] as number);
  }
  return value;
}

/** The text of an unscaled decimal with its full scale: `-0.50` for -50 and scale 2. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}
