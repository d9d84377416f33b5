// The folder that the timestamp-based key generator gives each row, as text.
// Rules: spec/format/record-key.md, RK-13 to RK-17.

import { HudiError } from "../errors.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  type FixedColumn,
  isPresent,
} from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { type Field, formatType, type TableSchema } from "../format/schema.ts";
import type { Steps } from "../runtime/steps.ts";
import { formatDate, parseDate, patternStepMs } from "./date-pattern.ts";
import type { KeyGenerator } from "./key-generator.ts";
import { requireKeyColumn, requireKeyPath } from "./key-text.ts";
import { fixedTimeZone, momentOfLocal, processTimeZone, type TimeZone } from "./time-zone.ts";
import { type TimestampSettings, UNIT_NANOS } from "./timestamp-settings.ts";

/** The text of each row: `texts[textOfRow[row]]`. */
export interface RowTexts {
  readonly texts: readonly string[];
  readonly textOfRow: Int32Array;
}

/** Rows worked through between two steps. */
const ROWS_A_STEP = 65_536;
/** From then on zones differ from UTC by quarters of an hour. */
const QUARTERS_SINCE_MS = 94_694_400_000;

const NUMBER_KINDS: ReadonlySet<string> = new Set([
  ...["int", "long", "float", "double", "decimal", "date", "timestamp-micros"],
]);

/** Checks that the values of a column are what the settings say; throws `INVALID`. */
export function requireTimestampField(
  schema: TableSchema,
  name: string,
  type: TimestampSettings["type"],
): Field {
  const field = requireKeyPath(schema, name);
  const { kind } = field.type;
  const isText = type === "DATE_STRING" || type === "MIXED";
  if (isText ? kind === "string" : NUMBER_KINDS.has(kind)) return field;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as partition column: found type ${formatType(field.type)}, expected ${isText ? "string" : [...NUMBER_KINDS].join(", ")} with ${type}`,
  );
}

/** What the values of a column are formatted to. Throws `INVALID` naming a row that cannot be. */
export function* timestampTexts(
  batch: ColumnBatch,
  name: string,
  { timestamps, hasLogicalTimestamps }: Pick<KeyGenerator, "timestamps" | "hasLogicalTimestamps">,
  describeRow: (row: number) => string,
): Steps<RowTexts> {
  const type = timestamps?.type;
  if (!timestamps || type === undefined) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot use column ${name} as partition column: the table does not say what its timestamps are`,
    );
  }
  const settings = { ...timestamps, type };
  const field = requireTimestampField(batch.schema, name, type);
  const column = requireKeyColumn(batch, name);
  if (column.layout === "bytes") return yield* ofTexts(column, name, settings, describeRow);
  const read = numberReader(field, column, settings, hasLogicalTimestamps);
  return yield* ofNumbers(column, read, settings);
}

/** Texts made so far, each with a number. */
class TextNumbers {
  readonly texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  add(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }
}

function* ofNumbers(
  column: Column,
  readMs: (row: number) => bigint,
  settings: TimestampSettings,
): Steps<RowTexts> {
  const { outputFormat, outputZone = processTimeZone() } = settings;
  const numbers = new TextNumbers();
  const quarters = new Map<number, number>();
  const seconds = new Map<number, number>();
  const textOfRow = new Int32Array(column.rowCount);
  const step = patternStepMs(outputFormat);
  const nullMs = millisOf(1n, unitNanos(settings));
  for (let row = 0; row < column.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const exact = isPresent(column, row) ? readMs(row) : nullMs;
    const ms = Number(exact);
    // Moments of one quarter of an hour read alike, unless the format or an old zone is finer.
    const isCoarse = outputZone.isFixed || ms >= QUARTERS_SINCE_MS;
    const known = isCoarse ? quarters : seconds;
    const span = Math.floor(ms / (isCoarse ? step : Math.min(step, 1000)));
    let text = Number.isSafeInteger(ms) ? known.get(span) : undefined;
    if (text === undefined) {
      text = numbers.add(formatDate(outputFormat, exact, outputZone.offsetAt(ms)));
      if (Number.isSafeInteger(ms)) known.set(span, text);
    }
    textOfRow[row] = text;
  }
  return { texts: numbers.texts, textOfRow };
}

function* ofTexts(
  column: BytesColumn,
  name: string,
  settings: TimestampSettings,
  describeRow: (row: number) => string,
): Steps<RowTexts> {
  const { offsets, data } = column;
  const numbers = new TextNumbers();
  const values = new KeyTable(64);
  const textOfValue: number[] = [];
  const textOfRow = new Int32Array(column.rowCount);
  let textOfNull: number | undefined;
  for (let row = 0; row < column.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (!isPresent(column, row)) {
      textOfNull ??= numbers.add(formatNull(settings, name));
      textOfRow[row] = textOfNull;
      continue;
    }
    const id = values.add(0, data, offsets[row] as number, offsets[row + 1] as number);
    if (id === textOfValue.length) {
      const value = Buffer.from(values.keyBytes(id)).toString("utf8");
      const text = reformat(settings, value);
      if (text === undefined) throw unreadable(settings, name, value, describeRow(row));
      textOfValue.push(numbers.add(text));
    }
    textOfRow[row] = textOfValue[id] as number;
  }
  return { texts: numbers.texts, textOfRow };
}

/** A text that input formats read, in the output format. */
function reformat(settings: TimestampSettings, value: string): string | undefined {
  const { inputFormats, inputZone, outputFormat } = settings;
  const parsed = parseDate(inputFormats, value);
  if (!parsed) return undefined;
  const { localMs, offsetMs } = parsed;
  const own = offsetMs === undefined ? undefined : fixedTimeZone("", offsetMs);
  const source: TimeZone = own ?? inputZone ?? processTimeZone();
  const moment = momentOfLocal(source, localMs);
  if (moment === undefined) return undefined;
  const shown = settings.outputZone ?? inputZone ?? source;
  return formatDate(outputFormat, BigInt(moment), shown.offsetAt(moment));
}

/** Null counts as the first millisecond of 1970, written by the first format and read again, as in Hudi. */
function formatNull(settings: TimestampSettings, name: string): string {
  const { inputFormats, inputZone, outputZone } = settings;
  const [first] = inputFormats;
  const zone = inputZone ?? outputZone ?? fixedTimeZone("GMT", 0);
  const text = first && formatDate(first, 1n, zone.offsetAt(1));
  const result = text === undefined ? undefined : reformat(settings, text);
  if (result === undefined) throw unreadable(settings, name, text ?? "", "a row without a value");
  return result;
}

function unreadable(
  { inputFormats }: TimestampSettings,
  name: string,
  value: string,
  row: string,
): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use ${row}: partition column ${name} has the value ${JSON.stringify(value.slice(0, 80))}, expected a date or time as ${inputFormats.map((format) => format.text).join(" or ")}`,
  );
}

function unitNanos({ type, unit }: TimestampSettings): bigint {
  if (type === "SCALAR") return UNIT_NANOS[unit];
  if (type === "EPOCHMILLISECONDS") return UNIT_NANOS.MILLISECONDS;
  return type === "EPOCHMICROSECONDS" ? UNIT_NANOS.MICROSECONDS : UNIT_NANOS.SECONDS;
}

/** Milliseconds of so many units, cut towards zero and kept within 64 bits, as Java converts them. */
function millisOf(value: bigint, nanos: bigint): bigint {
  const { MILLISECONDS } = UNIT_NANOS;
  if (nanos === MILLISECONDS) return value;
  if (nanos < MILLISECONDS) return value / (MILLISECONDS / nanos);
  const ms = value * (nanos / MILLISECONDS);
  if (ms > MAX_LONG) return MAX_LONG;
  return ms < -MAX_LONG - 1n ? -MAX_LONG - 1n : ms;
}

const MAX_LONG = 2n ** 63n - 1n;

/** Reads a number as milliseconds since the epoch. */
function numberReader(
  field: Field,
  column: Column,
  settings: TimestampSettings,
  hasLogicalTimestamps: boolean,
): (row: number) => bigint {
  const nanos =
    field.type.kind === "timestamp-micros" && hasLogicalTimestamps
      ? UNIT_NANOS.MICROSECONDS
      : unitNanos(settings);
  switch (column.layout) {
    case "int32":
      return (row) => millisOf(BigInt(column.values[row] as number), nanos);
    case "int64":
      return (row) => millisOf(column.values[row] as bigint, nanos);
    case "float32":
    case "float64":
      return (row) => millisOf(longOfReal(column.values[row] as number), nanos);
    case "fixed": {
      const scale = field.type.kind === "decimal" ? field.type.scale : 0;
      return (row) => millisOf(longOfDecimal(column, row, scale), nanos);
    }
    default:
      throw new HudiError(
        "UNSUPPORTED",
        `cannot use column ${field.name} as partition column: type ${formatType(field.type)}`,
      );
  }
}

/** A real number as Java casts it to a long: cut towards zero, kept within 64 bits, NaN is 0. */
function longOfReal(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 2 ** 63) return MAX_LONG;
  if (value <= -(2 ** 63)) return -MAX_LONG - 1n;
  return BigInt(Math.trunc(value));
}

/** The whole part of a decimal, of which Java keeps the low 64 bits. */
function longOfDecimal({ data, widthBytes }: FixedColumn, row: number, scale: number): bigint {
  let unscaled = 0n;
  for (let at = row * widthBytes; at < (row + 1) * widthBytes; at += 1) {
    unscaled = (unscaled << 8n) | BigInt(data[at] as number);
  }
  return BigInt.asIntN(64, BigInt.asIntN(widthBytes * 8, unscaled) / 10n ** BigInt(scale));
}
