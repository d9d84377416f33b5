// Passes over Avro values that nobody asked for.
import type { AvroCursor } from "./avro-cursor.ts";
import {
  type AvroJson,
  type AvroScope,
  enterRecord,
  insideType,
  recordFields,
  refuseSchema,
  requireJson,
  requireSize,
  resolveType,
} from "./avro-type-tree.ts";

/** Passes over or takes in one value. */
export type AvroStep = (cursor: AvroCursor) => void;
/** The step that passes over a value. */
export function skipAvroValue(json: AvroJson, scope: AvroScope): AvroStep {
  if (Array.isArray(json)) {
    const steps = (json as readonly AvroJson[]).map((branch) =>
      branch === "null" ? () => {} : skipAvroValue(branch, scope),
    );
    return (cursor) => {
      const branch = cursor.readInt();
      const step = steps[branch];
      if (!step) throw cursor.corrupt(`found branch ${branch} of a union of ${steps.length}`);
      step(cursor);
    };
  }
  const resolved = resolveType(json, scope);
  switch (resolved.type) {
    case "null":
      return () => {};
    case "boolean":
      return (cursor) => void cursor.readBoolean();
    case "int":
    case "enum":
      return (cursor) => void cursor.readInt();
    case "long":
      return (cursor) => cursor.readLong();
    case "float":
      return (cursor) => void cursor.skip(4);
    case "double":
      return (cursor) => void cursor.skip(8);
    case "string":
    case "bytes":
      return (cursor) => void cursor.skip(cursor.readLength());
    case "fixed": {
      const size = requireSize(resolved, scope);
      return (cursor) => void cursor.skip(size);
    }
    case "record": {
      const inner = enterRecord(resolved, scope);
      const steps = recordFields(resolved, inner).map((field) => skipAvroValue(field.type, inner));
      return (cursor) => {
        for (const step of steps) step(cursor);
      };
    }
    case "array": {
      const item = skipAvroValue(requireJson(resolved.items, scope), insideType(scope, "[]"));
      return (cursor) => void eachAvroItem(cursor, item);
    }
    case "map": {
      const value = skipAvroValue(requireJson(resolved.values, scope), insideType(scope, "{}"));
      return (cursor) =>
        void eachAvroItem(cursor, (at) => {
          at.skip(at.readLength());
          value(at);
        });
    }
    default:
      throw refuseSchema(
        scope,
        `column ${scope.place} has the unknown type ${String(resolved.type)}`,
      );
  }
}

/** Runs a step for each item of an array or map and says how many there are. */
export function eachAvroItem(cursor: AvroCursor, step: AvroStep): number {
  let items = 0;
  for (let count = cursor.readBlockCount(); count > 0; count = cursor.readBlockCount()) {
    for (let item = 0; item < count; item += 1) step(cursor);
    items += count;
  }
  return items;
}
