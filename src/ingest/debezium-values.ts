// Values of Debezium's JSON as values of a row, by the declared type of the column. Nothing is
// rounded or guessed: what does not fit is refused. Rules: spec/protocol/ingest.md, ING-10.
import { parseDate } from "../format/column-builder.ts";
import type { Field } from "../format/schema.ts";
import { DAY_UNITS, parseTimeOfDay } from "../format/time-of-day.ts";
import type { DeclaredType } from "./change-event.ts";
import type { JsonValue } from "./exact-json.ts";

/** Decodes the values of one column; null is not given to it. */
export interface ValueDecoder {
  /** The value of the row, or undefined where the JSON value is none of the type. */
  readonly decode: (value: JsonValue) => unknown;
  /** What messages say instead of a refused value. */
  readonly expected: string;
}

/** What a number in a timestamp column counts. */
export type EpochUnit = "millis" | "micros";

const EPOCH_UNITS: ReadonlyMap<string, EpochUnit> = new Map<string, EpochUnit>([
  ["io.debezium.time.Timestamp", "millis"],
  ["io.debezium.time.MicroTimestamp", "micros"],
  ["org.apache.kafka.connect.data.Timestamp", "millis"],
  ["io.debezium.time.Time", "millis"],
  ["io.debezium.time.MicroTime", "micros"],
  ["org.apache.kafka.connect.data.Time", "millis"],
]);

/** Semantic types whose JSON looks like something else, with what to do about them. */
const UNREADABLE: ReadonlyMap<string, string> = new Map([
  [
    "org.apache.kafka.connect.data.Decimal",
    "text; set decimal.handling.mode=string in the connector",
  ],
  [
    "io.debezium.data.VariableScaleDecimal",
    "text; set decimal.handling.mode=string in the connector",
  ],
  [
    "io.debezium.time.NanoTimestamp",
    "microseconds; set time.precision.mode=adaptive_time_microseconds in the connector",
  ],
]);

/** A decoder for a column, by its type and, where records carry schemas, what they declare. */
export function createValueDecoder(
  field: Field,
  declared: DeclaredType | undefined,
  epochUnit: EpochUnit,
): ValueDecoder {
  const remedy = UNREADABLE.get(declared?.name ?? "");
  if (remedy !== undefined && field.type.kind !== "string") {
    return { decode: () => undefined, expected: remedy };
  }
  switch (field.type.kind) {
    case "string":
      return { decode: decodeText, expected: "a well-formed text" };
    case "boolean":
      return {
        decode: (value) => (typeof value === "boolean" ? value : undefined),
        expected: "true or false",
      };
    case "int":
      return { decode: decodeInt, expected: "an integer of 32 bits" };
    case "long":
      return { decode: decodeLong, expected: "an integer of 64 bits" };
    case "float":
      return {
        decode: decodeFloat,
        expected: 'a number of single precision, "NaN", "Infinity" or "-Infinity"',
      };
    case "bytes":
      return { decode: decodeBase64, expected: "bytes in base64" };
    case "double":
      return {
        decode: decodeDouble,
        expected: 'a number that fits a double, "NaN", "Infinity" or "-Infinity"',
      };
    case "date":
      return { decode: decodeDate, expected: "days since 1970, or a text yyyy-MM-dd" };
    case "time-millis":
    case "time-micros": {
      const own = field.type.kind === "time-millis" ? "millis" : "micros";
      return createTimeDecoder(own, EPOCH_UNITS.get(declared?.name ?? "") ?? own);
    }
    case "timestamp-millis":
    case "timestamp-micros": {
      const own = field.type.kind === "timestamp-millis" ? "millis" : "micros";
      return createTimestampDecoder(EPOCH_UNITS.get(declared?.name ?? "") ?? epochUnit, own);
    }
    case "fixed":
      return createFixedDecoder(field.type.length);
    case "enum":
      return createSymbolDecoder(field.type.symbols);
    case "local-timestamp-millis":
    case "local-timestamp-micros":
    case "struct":
    case "list":
    case "map":
      return { decode: () => undefined, expected: "a column of another type" };
    case "decimal":
      return createDecimalDecoder(field.type.precision, field.type.scale);
  }
}

function decodeText(value: JsonValue): string | undefined {
  return typeof value === "string" && value.isWellFormed() ? value : undefined;
}

function decodeInt(value: JsonValue): number | undefined {
  return typeof value === "number" && (value | 0) === value ? value : undefined;
}

function decodeLong(value: JsonValue): bigint | undefined {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : undefined;
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
}

function decodeDouble(value: JsonValue): number | undefined {
  switch (typeof value) {
    // A number too large for a double has become an infinity, which no JSON number stands for.
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "bigint":
      return Number(value);
    case "string":
      return value === "NaN" || value === "Infinity" || value === "-Infinity"
        ? Number(value)
        : undefined;
    default:
      return undefined;
  }
}

/** Rounded to single precision; none becomes infinite by that. */
function decodeFloat(value: JsonValue): number | undefined {
  const number = decodeDouble(value);
  const isKept = number === undefined || !Number.isFinite(number);
  return isKept || Number.isFinite(Math.fround(number)) ? number : undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBase64(value: JsonValue): Uint8Array | undefined {
  if (typeof value !== "string" || !BASE64.test(value)) return undefined;
  return new Uint8Array(Buffer.from(value, "base64"));
}

const DAY_MS = 86_400_000;
/** A `Date` holds this many days before and after 1970. */
const MAX_DATE_DAYS = 100_000_000;

function decodeDate(value: JsonValue): Date | undefined {
  let days = value;
  if (typeof value === "string") days = parseDate(value.replace(/Z$/, "")) ?? null;
  if (typeof days !== "number" || !Number.isInteger(days)) return undefined;
  return Math.abs(days) <= MAX_DATE_DAYS ? new Date(days * DAY_MS) : undefined;
}

function createTimestampDecoder(unit: EpochUnit, own: EpochUnit): ValueDecoder {
  const decode = (value: JsonValue): bigint | undefined => {
    const isText = typeof value === "string";
    const count = isText ? parseIsoMicros(value) : decodeLong(value);
    return count === undefined ? undefined : convertUnits(count, isText ? "micros" : unit, own);
  };
  const digits = own === "millis" ? "millisecond" : "microsecond";
  return { decode, expected: `${unit} since 1970 in 64 bits, or an ISO time to the ${digits}` };
}

/** The same time in another unit; undefined where it is not whole or exceeds 64 bits. */
function convertUnits(count: bigint, from: EpochUnit, to: EpochUnit): bigint | undefined {
  const micros = from === "millis" ? count * 1000n : count;
  const factor = to === "millis" ? 1000n : 1n;
  const value = micros / factor;
  return value * factor === micros && BigInt.asIntN(64, value) === value ? value : undefined;
}

function createTimeDecoder(own: EpochUnit, unit: EpochUnit): ValueDecoder {
  const decode = (value: JsonValue): number | bigint | undefined => {
    const isText = typeof value === "string";
    const count = isText ? BigInt(parseTimeOfDay(value, own) ?? -1) : decodeLong(value);
    const units = count === undefined ? undefined : convertUnits(count, isText ? own : unit, own);
    if (units === undefined || units < 0n || units >= BigInt(DAY_UNITS[own])) return undefined;
    return own === "millis" ? Number(units) : units;
  };
  return { decode, expected: `${unit} since midnight, or a text HH:mm:ss` };
}

function createFixedDecoder(length: number): ValueDecoder {
  const decode = (value: JsonValue): Uint8Array | undefined => {
    const bytes = decodeBase64(value);
    return bytes?.length === length ? bytes : undefined;
  };
  return { decode, expected: `${length} bytes in base64` };
}

function createSymbolDecoder(symbols: readonly string[]): ValueDecoder {
  const decode = (value: JsonValue): JsonValue | undefined =>
    symbols.includes(value as string) ? value : undefined;
  return { decode, expected: `one of ${symbols.slice(0, 20).join(", ")}` };
}

const ISO_TIME =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))?$/;

/**
 * Microseconds since the epoch of an ISO time; without an offset it is taken as UTC. Undefined for
 * a text that is none, or that is more exact than a microsecond.
 */
export function parseIsoMicros(text: string): bigint | undefined {
  const match = text.length <= 40 ? ISO_TIME.exec(text) : null;
  if (!match) return undefined;
  const [, date = "", hour, minute, second, fraction = "", sign, offsetHour, offsetMinute] = match;
  const days = parseDate(date);
  if (days === undefined || Number(fraction.slice(6)) !== 0) return undefined;
  let seconds = days * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const offset = sign ? Number(offsetHour) * 3600 + Number(offsetMinute) * 60 : 0;
  seconds -= sign === "-" ? -offset : offset;
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, "0"));
}

/** No decimal of 38 digits is longer, leading zeros of sane producers included. */
const MAX_DECIMAL_CHARACTERS = 80;

function createDecimalDecoder(precision: number, scale: number): ValueDecoder {
  const whole = precision - scale;
  const pattern = new RegExp(`^[+-]?0*\\d{0,${whole}}(?:\\.\\d{1,${Math.max(scale, 1)}})?$`);
  const decode = (value: JsonValue): string | undefined => {
    if (typeof value !== "string" || value.length > MAX_DECIMAL_CHARACTERS) return undefined;
    if (!pattern.test(value) || !/^[+-]?\d/.test(value)) return undefined;
    return scale > 0 || !value.includes(".") ? value : undefined;
  };
  return {
    decode,
    expected: `a text of at most ${whole} digits, a point and ${scale} digits (decimal.handling.mode=string)`,
  };
}
