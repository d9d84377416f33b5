// The bucket index of Hudi: the hash of a key names the file group that holds it.
// Rules: spec/format/indexing.md, IX-8 and IX-9.
import { HudiError } from "../errors.ts";
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import type { BytesColumn } from "../format/column-batch.ts";
import type { Steps } from "../runtime/steps.ts";

/** Keys hashed between two steps. */
const KEYS_A_STEP = 65_536;
const COLON = 58;

/**
 * The bucket of each key, as Hudi 0.15 computes it. `fields` are the key columns that are hashed; they
 * count only for keys that hold a colon, which are taken for lists of `column:value`.
 */
export function* bucketsOfKeys(
  keys: BytesColumn,
  buckets: number,
  fields: readonly string[],
): Steps<Int32Array> {
  const { rowCount, offsets, data } = keys;
  const result = new Int32Array(rowCount);
  const text = Buffer.from(data.buffer, data.byteOffset, data.length);
  for (let row = 0; row < rowCount; row += 1) {
    const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
    let hash = 0;
    let isPlain = true;
    for (let at = start; at < end; at += 1) {
      const byte = data[at] as number;
      if (byte >= 0x80 || byte === COLON) {
        isPlain = false;
        break;
      }
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const list = isPlain
      ? (31 + hash) | 0
      : hashList(hashedParts(text.toString("utf8", start, end), fields));
    result[row] = (list & 0x7fff_ffff) % buckets;
    if (row % KEYS_A_STEP === KEYS_A_STEP - 1) yield;
  }
  return result;
}

/** The parts of a key that are hashed. */
function hashedParts(key: string, fields: readonly string[]): readonly (string | undefined)[] {
  if (!key.includes(":")) return [key];
  const parts = key.split(",");
  // As Java splits: what is empty at the end does not count.
  while (parts.length > 0 && parts.at(-1) === "") parts.pop();
  return parts.flatMap((part) => {
    const colon = part.indexOf(":");
    if (colon < 0) return [part];
    if (fields.length > 0 && !fields.includes(part.slice(0, colon))) return [];
    const value = part.slice(colon + 1);
    if (value === "__null__") return [undefined];
    return [value === "__empty__" ? "" : value];
  });
}

/** `List.hashCode` of Java. */
function hashList(parts: readonly (string | undefined)[]): number {
  let hash = 1;
  for (const part of parts) {
    hash = (Math.imul(hash, 31) + (part === undefined ? 0 : hashText(part))) | 0;
  }
  return hash;
}

/** `String.hashCode` of Java: over UTF-16 units, as JavaScript has them too. */
function hashText(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  }
  return hash;
}

/** The first part of the ids of a bucket's file groups; `uuid` makes them unique. */
export function bucketFileIdPrefix(bucket: number, uuid: string): string {
  return `${String(bucket).padStart(8, "0")}${uuid.slice(8)}`;
}

/** The bucket that a file group belongs to. Throws `CORRUPT` for an id that names none. */
export function bucketOfFileId(fileId: string): number {
  if (/^\d{8}/.test(fileId)) return Number(fileId.slice(0, 8));
  throw new HudiError(
    "CORRUPT",
    `cannot use file group ${fileId}: its id begins with no bucket number, expected eight digits in a table with a bucket index`,
  );
}

/** What two file groups of one bucket have in common, for a set or map. */
export function bucketKey(partitionPath: string, fileId: string): string {
  return fileGroupKey(partitionPath, String(bucketOfFileId(fileId)));
}

/**
 * Throws `CORRUPT` where two file groups of a partition belong to one bucket, or one to a bucket that
 * there is not.
 */
export function requireOneFileABucket(slices: readonly FileSlice[], buckets: number): void {
  const seen = new Map<string, string>();
  for (const { partitionPath, fileId } of slices) {
    const refuse = (fact: string): never => {
      throw new HudiError(
        "CORRUPT",
        `cannot use partition ${JSON.stringify(partitionPath)}: ${fact}, expected one file group for each of ${buckets} buckets`,
      );
    };
    const bucket = bucketOfFileId(fileId);
    if (bucket >= buckets) refuse(`file group ${fileId} belongs to bucket ${bucket}`);
    const key = bucketKey(partitionPath, fileId);
    const other = seen.get(key);
    if (other !== undefined) refuse(`file groups ${other} and ${fileId} belong to one bucket`);
    seen.set(key, fileId);
  }
}
