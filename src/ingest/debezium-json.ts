// Decodes records of Debezium's JSON converter, with or without schemas, into change events.
// Rules: spec/protocol/ingest.md, ING-4 to ING-9.
import { HudiError } from "../errors.ts";
import type { ChangeEvent, ChangeKind, DeclaredType, SourceTable } from "./change-event.ts";
import {
  describeJson,
  findMember,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  mayBeRounded,
} from "./exact-json.ts";
import { type Payload, PayloadParser } from "./json-envelope.ts";
import { describeRecord, type RawContent, type SourceRecord } from "./record-source.ts";

/** What is remembered of a topic. */
interface TopicState {
  readonly keys: PayloadParser;
  readonly values: PayloadParser;
  /** The last delete of each partition: its tombstone follows at the next offset. */
  readonly lastDeletes: Map<number, { readonly offset: bigint; readonly key: string }>;
}

const ROW_KINDS: ReadonlyMap<unknown, ChangeKind> = new Map<unknown, ChangeKind>([
  ["r", "snapshot"],
  ["c", "create"],
  ["u", "update"],
  ["d", "delete"],
]);

/** Decodes the records of one consumer in the order in which it reads them. */
export class DebeziumJsonDecoder {
  readonly #topics: Map<string, TopicState> = new Map();

  /**
   * The change a record stands for; undefined for one that changes no row: a logical message, or a
   * tombstone right behind its delete. Throws `INVALID` naming topic, partition and offset for a
   * record that is no change event, and `UNSUPPORTED` for a truncate.
   */
  decode(record: SourceRecord): ChangeEvent | undefined {
    const state = this.#topicState(record.topic);
    const text = requireText(record, record.value, "value");
    const payload = text === undefined ? undefined : parse(record, state.values, text, "value");
    if (payload === undefined || payload.value === null) return decodeTombstone(record, state);
    const envelope = payload.value;
    if (!isJsonObject(envelope)) {
      throw invalid(
        record,
        `its value is ${describeJson(envelope)}, expected an envelope with before, after, source and op`,
      );
    }
    const op = findMember(envelope, "op");
    const kind = ROW_KINDS.get(op);
    if (kind !== undefined) return decodeRowChange(record, state, kind, envelope, payload);
    if (op === "m") return undefined;
    throw refuseOperation(record, op, envelope);
  }

  #topicState(topic: string): TopicState {
    const known = this.#topics.get(topic);
    if (known) return known;
    const state = {
      keys: new PayloadParser(),
      values: new PayloadParser(),
      lastDeletes: new Map(),
    };
    this.#topics.set(topic, state);
    return state;
  }
}

function refuseOperation(
  record: SourceRecord,
  op: JsonValue | undefined,
  envelope: JsonObject,
): HudiError {
  if (op === "t") {
    const source = findMember(envelope, "source");
    const table = isJsonObject(source) ? formatTable(readTable(source)) : "its table";
    return new HudiError(
      "UNSUPPORTED",
      `cannot decode ${describeRecord(record)}: it truncates ${table}, which is not applied; empty the table and go on behind this offset, or skip truncates in the connector (skipped.operations)`,
    );
  }
  if (op === undefined) {
    return invalid(
      record,
      "its value has no op, expected the whole envelope of Debezium; take transforms such as ExtractNewRecordState out of the connector",
    );
  }
  return invalid(record, `its op is ${describeJson(op)}, expected one of r, c, u, d, t, m`);
}

/** A tombstone is a delete without a position, unless it only repeats the record before it. */
function decodeTombstone(record: SourceRecord, state: TopicState): ChangeEvent | undefined {
  const text = requireText(record, record.key, "key");
  if (text === undefined) throw invalid(record, "it has neither key nor value, expected a change");
  const last = state.lastDeletes.get(record.partition);
  if (last?.key === text && last.offset + 1n === record.offset) return undefined;
  const key = decodeKey(record, state, text);
  return {
    op: "delete",
    kind: "tombstone",
    key: key.columns,
    before: undefined,
    after: undefined,
    position: undefined,
    isSnapshot: false,
    sourceTable: undefined,
    timestamps: { sourceMs: undefined, capturedMs: undefined },
    declaredTypes: key.declaredTypes,
    origin: record,
  };
}

function decodeRowChange(
  record: SourceRecord,
  state: TopicState,
  kind: ChangeKind,
  plain: JsonObject,
  payload: Payload,
): ChangeEvent {
  const keyText = requireText(record, record.key, "key");
  if (keyText === undefined) {
    throw invalid(
      record,
      "it has no key, expected the primary key of the row; give the source table one, or set message.key.columns in the connector",
    );
  }
  const envelope = isInDoubt(plain) ? parseExactly(record, payload) : plain;
  const source = requireObject(record, envelope, "source");
  const before = findObject(record, envelope, "before");
  const after = kind === "delete" ? undefined : requireObject(record, envelope, "after");
  if (kind === "delete") {
    state.lastDeletes.set(record.partition, { offset: record.offset, key: keyText });
  }
  const snapshot = findMember(source, "snapshot") ?? "false";
  return {
    op: kind === "delete" || kind === "update" ? kind : "insert",
    kind,
    key: decodeKey(record, state, keyText).columns,
    before,
    after,
    position: {
      lsn: findInteger(record, source, "lsn"),
      transactionId: findInteger(record, source, "txId"),
    },
    isSnapshot: kind === "snapshot" || (snapshot !== "false" && snapshot !== false),
    sourceTable: readTable(source),
    timestamps: {
      sourceMs: findTime(record, source),
      capturedMs: findTime(record, envelope),
    },
    declaredTypes: payload.declaredTypes,
    origin: record,
  };
}

/** Whether a number that counts may have been rounded. The times of `source` in ns always are. */
function isInDoubt(envelope: JsonObject): boolean {
  const { source } = envelope;
  if (isJsonObject(source) && (mayBeRounded(source.lsn) || mayBeRounded(source.txId))) return true;
  return hasRoundedMember(envelope.after) || hasRoundedMember(envelope.before);
}

function hasRoundedMember(row: JsonValue | undefined): boolean {
  if (!isJsonObject(row)) return false;
  for (const name in row) if (mayBeRounded(row[name])) return true;
  return false;
}

function parseExactly(record: SourceRecord, payload: Payload): JsonObject {
  try {
    return payload.exact() as JsonObject;
  } catch (cause) {
    throw invalid(record, "its JSON nests too deep, expected plain columns", cause);
  }
}

/** The columns of a key, and what its own schema declares of them. */
interface DecodedKey {
  readonly columns: JsonObject;
  readonly declaredTypes: ReadonlyMap<string, DeclaredType> | undefined;
}

function decodeKey(record: SourceRecord, state: TopicState, text: string): DecodedKey {
  const payload = parse(record, state.keys, text, "key");
  const { value, declaredTypes } = payload;
  const columns = hasRoundedMember(value) ? parseExactly(record, payload) : value;
  if (isJsonObject(columns)) return { columns, declaredTypes };
  throw invalid(record, `its key is ${describeJson(columns)}, expected an object of key columns`);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function requireText(
  record: SourceRecord,
  content: RawContent | null,
  part: string,
): string | undefined {
  if (content === null) return undefined;
  if (typeof content === "string") return content;
  try {
    return utf8.decode(content);
  } catch (cause) {
    throw invalid(record, `its ${part} is no UTF-8, expected JSON`, cause);
  }
}

function parse(record: SourceRecord, parser: PayloadParser, text: string, part: string): Payload {
  try {
    return parser.parse(text);
  } catch (cause) {
    throw invalid(
      record,
      `its ${part} is no JSON, expected what Debezium's JSON converter writes`,
      cause,
    );
  }
}

function findObject(
  record: SourceRecord,
  envelope: JsonObject,
  name: string,
): JsonObject | undefined {
  const value = findMember(envelope, name) ?? undefined;
  if (value === undefined || isJsonObject(value)) return value;
  throw invalid(record, `its ${name} is ${describeJson(value)}, expected an object or null`);
}

function requireObject(record: SourceRecord, envelope: JsonObject, name: string): JsonObject {
  const value = findObject(record, envelope, name);
  if (value) return value;
  throw invalid(record, `its ${name} is missing, expected an object`);
}

function findInteger(record: SourceRecord, source: JsonObject, name: string): bigint | undefined {
  const value = findMember(source, name) ?? undefined;
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
  throw invalid(
    record,
    `its source.${name} is ${describeJson(value)}, expected an integer of 64 bits`,
  );
}

function findTime(record: SourceRecord, object: JsonObject): number | undefined {
  const value = findMember(object, "ts_ms") ?? undefined;
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  throw invalid(record, `its ts_ms is ${describeJson(value)}, expected milliseconds`);
}

function readTable(source: JsonObject): SourceTable {
  const text = (name: string): string => {
    const value = findMember(source, name);
    return typeof value === "string" ? value : "";
  };
  return { database: text("db"), schema: text("schema"), table: text("table") };
}

function formatTable({ database, schema, table }: SourceTable): string {
  return `table ${[database, schema, table]
    .filter((part) => part !== "")
    .join(".")
    .slice(0, 200)}`;
}

function invalid(record: SourceRecord, fact: string, cause?: unknown): HudiError {
  return new HudiError("INVALID", `cannot decode ${describeRecord(record)}: ${fact}`, { cause });
}
