// One column of a record batch from outside: its buffers, and how what does not fit is told.
// Rules: spec/format/arrow.md.
import type { Data } from "apache-arrow";
import { HudiError } from "../errors.ts";
import { type Field, formatFieldType } from "./schema.ts";

/** Members of Arrow's Type enumeration, spelled out so that the library need not be loaded. */
export const ARROW = {
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  list: 12,
  struct: 13,
  fixedSizeBinary: 15,
  map: 17,
  largeBinary: 19,
  largeUtf8: 20,
  dictionary: -1,
} as const;

/** A column that is read as a field of a batch of so many rows. */
export class ArrowSource {
  readonly data: Data;
  readonly field: Field;
  readonly rowCount: number;
  readonly label: string;

  constructor(data: Data, field: Field, rowCount: number, label: string) {
    this.data = data;
    this.field = field;
    this.rowCount = rowCount;
    this.label = label;
  }

  refuseType(): never {
    this.refuse(`found Arrow type ${this.data.type}`);
  }

  refuse(found: string): never {
    const { name } = this.field;
    throw new HudiError(
      "INVALID",
      `cannot use ${this.label}: column ${name} (${formatFieldType(this.field)}): ${found}`,
    );
  }

  /** The values, which must be an array of that kind with enough of them. */
  values<T>(kind: new (length: number) => T & { readonly length: number }, count: number): T {
    const values: unknown = this.data.values;
    if (!(values instanceof kind) || values.length < count) this.refuse("its values are short");
    return values;
  }
}
