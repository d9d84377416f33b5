// The one record of a timeline file in Avro. Rules: spec/format/action-plans.md.
import { HudiError } from "../errors.ts";
import { decodeAvroFile } from "../format/avro-file.ts";
import { requireRecord, type UntypedRecord } from "../format/untyped-fields.ts";

/**
 * The record of a timeline file; `recordName` is its name without namespace. Throws `CORRUPT` when
 * the file holds another record, none or several.
 */
export function decodePlanFile(bytes: Uint8Array, recordName: string, path: string): UntypedRecord {
  const { typeName, records } = decodeAvroFile(bytes, path);
  const found = typeName.slice(typeName.lastIndexOf(".") + 1);
  if (found !== recordName || records.length !== 1) {
    throw new HudiError(
      "CORRUPT",
      `cannot read ${path}: found ${records.length} of ${found}, expected one ${recordName}`,
      { path },
    );
  }
  return requireRecord(records[0], recordName, path);
}
