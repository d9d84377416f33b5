// Which columns each row of a write gives, and which it leaves as they are stored.
// Rules: spec/format/merge-rules.md MR-11.
import type { TableSchema } from "../format/schema.ts";

/** For each row the number of its shape; a shape has a set byte for each column that is given. */
export interface RowShapes {
  readonly shapeOfRow: Int32Array;
  readonly shapes: readonly Uint8Array[];
}

/** Collects the shapes of rows; there are few different ones, whatever the number of rows. */
export class RowShapeBuilder {
  readonly #shapes: Uint8Array[] = [];
  readonly #numbers: Map<string, number> = new Map();
  #shapeOfRow: Int32Array = new Int32Array(1024);
  #rowCount = 0;
  #last: Uint8Array | undefined;
  #lastNumber = 0;

  /** Adds rows that give these columns. */
  add(given: Uint8Array, rowCount: number = 1): void {
    const end = this.#rowCount + rowCount;
    if (end > this.#shapeOfRow.length) {
      const larger = new Int32Array(Math.max(end, this.#shapeOfRow.length * 2));
      larger.set(this.#shapeOfRow);
      this.#shapeOfRow = larger;
    }
    this.#shapeOfRow.fill(this.#numberOf(given), this.#rowCount, end);
    this.#rowCount = end;
  }

  #numberOf(given: Uint8Array): number {
    if (this.#last && Buffer.compare(this.#last, given) === 0) return this.#lastNumber;
    const key = Buffer.from(given).toString("latin1");
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#shapes.length;
      this.#numbers.set(key, number);
      this.#shapes.push(given.slice());
    }
    this.#last = this.#shapes[number];
    this.#lastNumber = number;
    return number;
  }

  /** The shapes, or undefined where every row gives every column. */
  finish(): RowShapes | undefined {
    if (this.#shapes.every((shape) => shape.every((given) => given === 1))) return undefined;
    return { shapeOfRow: this.#shapeOfRow.slice(0, this.#rowCount), shapes: this.#shapes };
  }
}

/** The columns that a row gives: those that it has, but for the `unchanged` ones. */
export function shapeOfRow(
  row: unknown,
  schema: TableSchema,
  unchanged: ReadonlySet<string>,
  required: ReadonlySet<string>,
): Uint8Array {
  const values = Object(row) as Readonly<Record<string, unknown>>;
  return Uint8Array.from(schema.fields, ({ name }) => {
    // A required one counts as given, so that it is missed when its value is read.
    if (required.has(name)) return 1;
    if (unchanged.has(name)) return 0;
    // Every object inherits names such as `constructor`, which may be columns.
    const isInherited = name in Object.prototype && !Object.hasOwn(values, name);
    return isInherited || values[name] === undefined ? 0 : 1;
  });
}

/** The shape of a whole row. */
export function wholeShape(schema: TableSchema): Uint8Array {
  return new Uint8Array(schema.fields.length).fill(1);
}
