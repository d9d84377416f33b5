// Maps change events to changes of a table: the columns of the row by their declared types, and
// added columns that hold what the event says of itself. Rules: spec/protocol/ingest.md, ING-9 to ING-14.
import { HudiError } from "../errors.ts";
import { type Field, formatFieldType, requireField, type TableSchema } from "../format/schema.ts";
import type { Change } from "../layout/change.ts";
import type { TableConfig } from "../layout/table-config.ts";
import type { ChangeEvent, DeclaredType } from "./change-event.ts";
import { createValueDecoder, type EpochUnit, type ValueDecoder } from "./debezium-values.ts";
import { describeJson, type JsonObject, type JsonValue } from "./exact-json.ts";
import { describeRecord } from "./record-source.ts";

/**
 * What a column can hold of the event itself: the position in the source's log and its transaction
 * (`long`), the letter of the operation (`string`), and the times in ms (`long`) of the change in
 * the source and of its capture.
 */
export type EventAttribute = "lsn" | "transactionId" | "op" | "sourceMs" | "capturedMs";

/** How rows are made of events. */
export interface DebeziumRowOptions {
  /**
   * Columns of the table that are filled from the event. Default: those of `DEFAULT_EVENT_COLUMNS`
   * that the table has.
   */
  readonly eventColumns?: Readonly<Record<string, EventAttribute>> | undefined;
  /** `full` allows the old row of an event to be used; partitioned tables need it. */
  readonly replicaIdentity?: "default" | "full" | undefined;
  /** What numbers in a timestamp column count, where records carry no schema; default `micros`. */
  readonly epochUnits?: Readonly<Record<string, EpochUnit>> | undefined;
  /** The text that stands for a value which the source left out (`unavailable.value.placeholder`). */
  readonly unavailableValue?: string | undefined;
}

/** The names that Hudi's own Debezium source gives these columns. */
export const DEFAULT_EVENT_COLUMNS: Readonly<Record<string, EventAttribute>> = {
  _event_lsn: "lsn",
  _event_tx_id: "transactionId",
  _change_operation_type: "op",
  _event_origin_ts_ms: "sourceMs",
  _upstream_event_processed_ts_ms: "capturedMs",
};

const ATTRIBUTE_KINDS: Readonly<Record<EventAttribute, "long" | "string">> = {
  lsn: "long",
  transactionId: "long",
  op: "string",
  sourceMs: "long",
  capturedMs: "long",
};

const OP_LETTERS = {
  snapshot: "r",
  create: "c",
  update: "u",
  delete: "d",
  tombstone: "d",
} as const;

/** A column that is taken from the row of the event. */
interface RowColumn extends ValueDecoder {
  readonly field: Field;
  /** Whether every object has a member of this name, which then is none of the row. */
  readonly isInherited: boolean;
}

/** A column that is taken from the event. */
interface EventColumn {
  readonly field: Field;
  readonly attribute: EventAttribute;
}

type Row = Record<string, unknown>;
type DeclaredTypes = ReadonlyMap<string, DeclaredType>;

/** Maps the events of one source table to one table. */
export class DebeziumRowMapper {
  readonly #eventColumns: readonly EventColumn[];
  readonly #rowFields: readonly Field[];
  readonly #rowNames: ReadonlySet<string>;
  readonly #config: Pick<TableConfig, "recordKeyFields" | "partitionFields" | "orderingField">;
  readonly #isFull: boolean;
  readonly #epochUnits: Readonly<Record<string, EpochUnit>>;
  readonly #unavailableValue: string;
  readonly #newRow: () => Row;
  readonly #plainColumns: readonly RowColumn[];
  readonly #declaredColumns: WeakMap<DeclaredTypes, readonly RowColumn[]> = new WeakMap();

  /** Throws `INVALID` for columns that the table lacks or has with another type. */
  constructor(
    schema: TableSchema,
    config: Pick<TableConfig, "recordKeyFields" | "partitionFields" | "orderingField">,
    options: DebeziumRowOptions = {},
  ) {
    this.#eventColumns = bindEventColumns(schema, options.eventColumns);
    const taken = new Set(this.#eventColumns.map((column) => column.field.name));
    this.#rowFields = schema.fields.filter((field) => !taken.has(field.name));
    this.#rowNames = new Set(this.#rowFields.map((field) => field.name));
    this.#config = config;
    this.#isFull = options.replicaIdentity === "full";
    this.#epochUnits = options.epochUnits ?? {};
    this.#unavailableValue = options.unavailableValue ?? "__debezium_unavailable_value";
    for (const name of Object.keys(this.#epochUnits)) requireField(schema, name);
    for (const name of config.recordKeyFields) requireRowColumn(this.#rowNames, name);
    // In an ordinary object a column of this name would become the prototype.
    const isHostile = this.#rowNames.has("__proto__");
    this.#newRow = isHostile ? () => Object.create(null) as Row : () => ({});
    this.#plainColumns = this.#bindColumns(undefined);
  }

  /**
   * The change of the table. Throws, naming topic, partition, offset and column: `INVALID` for a
   * value that is none of its column and for a column that is unknown or missing; `UNSUPPORTED` for
   * a row of which the source left a value out.
   */
  map(event: ChangeEvent): Change<Row> {
    const columns = this.#findColumns(event.declaredTypes);
    const key = this.#mapKey(event, columns);
    if (event.op === "delete") return { op: "delete", key };
    const after = this.#mapRow(event, columns, event.after ?? {}, "after");
    this.#addEventColumns(event, after);
    for (const name of this.#config.recordKeyFields) requireSameValue(event, name, key, after);
    return { op: event.op, key, before: this.#mapBefore(event, columns), after };
  }

  #findColumns(declared: DeclaredTypes | undefined): readonly RowColumn[] {
    if (declared === undefined) return this.#plainColumns;
    const known = this.#declaredColumns.get(declared);
    if (known) return known;
    const columns = this.#bindColumns(declared);
    this.#declaredColumns.set(declared, columns);
    return columns;
  }

  #bindColumns(declared: DeclaredTypes | undefined): readonly RowColumn[] {
    return this.#rowFields.map((field) => {
      const { name } = field;
      const unit = Object.hasOwn(this.#epochUnits, name) ? this.#epochUnits[name] : undefined;
      const decoder = createValueDecoder(field, declared?.get(name), unit ?? "micros");
      return { ...decoder, field, isInherited: name in Object.prototype };
    });
  }

  /** The key columns of the event; of a delete also its partition and its ordering value. */
  #mapKey(event: ChangeEvent, columns: readonly RowColumn[]): Row {
    const { recordKeyFields, partitionFields, orderingField } = this.#config;
    const key = this.#newRow();
    for (const name in event.key) {
      if (recordKeyFields.includes(name) || partitionFields.includes(name)) continue;
      throw refuse(
        event,
        `its key has column ${describeJson(name)}, expected ${[...recordKeyFields, ...partitionFields].join(", ")}: the record key of the table has to be the key of the source table`,
      );
    }
    for (const column of columns) {
      const { name } = column.field;
      const isKey = recordKeyFields.includes(name);
      if (!isKey && !partitionFields.includes(name)) continue;
      if (isKey || Object.hasOwn(event.key, name)) {
        key[name] = this.#mapValue(event, column, event.key, "key");
      } else if (event.op === "delete") {
        key[name] = this.#mapOldPartition(event, column);
      }
    }
    if (event.op !== "delete" || event.position === undefined) return key;
    const ordering = this.#eventColumns.find((column) => column.field.name === orderingField);
    if (ordering) key[ordering.field.name] = this.#attribute(event, ordering);
    return key;
  }

  #mapOldPartition(event: ChangeEvent, column: RowColumn): unknown {
    if (this.#isFull && event.before) return this.#mapValue(event, column, event.before, "before");
    throw lacksPartition(event, column.field.name);
  }

  /** The old row of an update: where it may be used, and where it may have another partition. */
  #mapBefore(event: ChangeEvent, columns: readonly RowColumn[]): Row | undefined {
    if (event.op !== "update") return undefined;
    if (this.#isFull && event.before) return this.#mapRow(event, columns, event.before, "before");
    const moving = this.#config.partitionFields.find((name) => !Object.hasOwn(event.key, name));
    if (moving !== undefined) throw lacksPartition(event, moving);
    return undefined;
  }

  #mapRow(
    event: ChangeEvent,
    columns: readonly RowColumn[],
    source: JsonObject,
    part: string,
  ): Row {
    for (const name in source) {
      if (this.#rowNames.has(name)) continue;
      throw refuse(
        event,
        `its ${part} has the unknown column ${describeJson(name)}, expected ${[...this.#rowNames].join(", ")}; the source table has changed, which is not followed yet`,
      );
    }
    const row = this.#newRow();
    for (let index = 0; index < columns.length; index += 1) {
      const column = columns[index] as RowColumn;
      row[column.field.name] = this.#mapValue(event, column, source, part);
    }
    return row;
  }

  #mapValue(event: ChangeEvent, column: RowColumn, source: JsonObject, part: string): unknown {
    const { field } = column;
    const value = source[field.name];
    if (value === undefined || (column.isInherited && !Object.hasOwn(source, field.name))) {
      throw refuse(
        event,
        `its ${part} lacks column ${field.name}, expected every column of the table; the source table has changed, which is not followed yet`,
      );
    }
    if (value === null) {
      if (field.nullable) return null;
      throw refuseValue(event, column, value, "a value: the column is not nullable");
    }
    if (value === this.#unavailableValue) throw this.#unavailable(event, field);
    const decoded = column.decode(value);
    if (decoded === undefined) throw refuseValue(event, column, value, column.expected);
    return decoded;
  }

  #unavailable(event: ChangeEvent, field: Field): HudiError {
    return new HudiError(
      "UNSUPPORTED",
      `cannot map ${describeRecord(event.origin)}: the source left out the unchanged value of column ${field.name} (${this.#unavailableValue}), and partial updates are not applied; set REPLICA IDENTITY FULL on the source table`,
    );
  }

  #addEventColumns(event: ChangeEvent, row: Row): void {
    for (const column of this.#eventColumns) {
      row[column.field.name] = this.#attribute(event, column);
    }
  }

  #attribute(event: ChangeEvent, column: EventColumn): unknown {
    const value = readAttribute(event, column.attribute);
    const { field } = column;
    if (value !== undefined) return value;
    if (field.nullable && field.name !== this.#config.orderingField) return null;
    throw refuse(event, `it has no ${column.attribute} for column ${field.name}, expected a value`);
  }
}

function readAttribute(event: ChangeEvent, attribute: EventAttribute): bigint | string | undefined {
  const ofMs = (ms: number | undefined): bigint | undefined =>
    ms === undefined ? undefined : BigInt(ms);
  switch (attribute) {
    case "lsn":
      return event.position?.lsn;
    case "transactionId":
      return event.position?.transactionId;
    case "op":
      return OP_LETTERS[event.kind];
    case "sourceMs":
      return ofMs(event.timestamps.sourceMs);
    case "capturedMs":
      return ofMs(event.timestamps.capturedMs);
  }
}

function bindEventColumns(
  schema: TableSchema,
  wanted: Readonly<Record<string, EventAttribute>> | undefined,
): readonly EventColumn[] {
  const known = new Set(schema.fields.map((field) => field.name));
  const entries = wanted
    ? Object.entries(wanted)
    : Object.entries(DEFAULT_EVENT_COLUMNS).filter(([name]) => known.has(name));
  return entries.map(([name, attribute]) => {
    const field = requireField(schema, name);
    const kind = Object.hasOwn(ATTRIBUTE_KINDS, attribute) ? ATTRIBUTE_KINDS[attribute] : undefined;
    if (kind === undefined) {
      throw new HudiError(
        "INVALID",
        `cannot fill column ${name} with ${describeJson(attribute)}: expected one of ${Object.keys(ATTRIBUTE_KINDS).join(", ")}`,
      );
    }
    if (field.type.kind === kind) return { field, attribute };
    throw new HudiError(
      "INVALID",
      `cannot fill column ${name} with ${attribute}: found type ${formatFieldType(field)}, expected ${kind}`,
    );
  });
}

function requireRowColumn(names: ReadonlySet<string>, name: string): void {
  if (names.has(name)) return;
  throw new HudiError(
    "INVALID",
    `cannot fill record key ${name} from what the event says of itself: expected a column of the source table`,
  );
}

function lacksPartition(event: ChangeEvent, name: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot map ${describeRecord(event.origin)}: it does not tell in which partition the old row is (column ${name}); set REPLICA IDENTITY FULL on the source table and replicaIdentity "full" here, or have the column in the key`,
  );
}

function requireSameValue(event: ChangeEvent, name: string, key: Row, after: Row): void {
  const [one, other] = [key[name], after[name]];
  const isSame =
    one instanceof Date && other instanceof Date
      ? one.getTime() === other.getTime()
      : one === other;
  if (isSame) return;
  throw refuse(
    event,
    `its key and its after differ in ${name}, expected the same value: a key change is a delete and a create`,
  );
}

function refuseValue(
  event: ChangeEvent,
  { field }: RowColumn,
  value: JsonValue,
  expected: string,
): HudiError {
  const place = `column ${field.name} (${formatFieldType(field)})`;
  return refuse(event, `${place} is ${describeJson(value)}, expected ${expected}`);
}

function refuse(event: ChangeEvent, fact: string): HudiError {
  return new HudiError("INVALID", `cannot map ${describeRecord(event.origin)}: ${fact}`);
}
