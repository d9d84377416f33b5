// Which partitions a filter leaves, judged by their paths. Rules: spec/format/predicates.md, PR-4.
import { storedColumn } from "../format/column-batch.ts";
import { createColumnBuilder } from "../format/column-builder.ts";
import { type Field, findField, isText, type TableSchema } from "../format/schema.ts";
import { formatColumn } from "../layout/key-text.ts";
import { DEFAULT_PARTITION } from "../layout/partition-path.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { runAtOnce } from "../runtime/steps.ts";
import type { BoundPredicate, ColumnBounds } from "./predicate.ts";

/** Whether rows of a partition, or (not `isWhole`) of partitions below a folder, may be asked for. */
export type PartitionFilter = (path: string, isWhole: boolean) => boolean;

/** A partition column, and how many levels of folders it makes; undefined where that is not known. */
interface PartitionLevels {
  readonly name: string;
  /** Absent where the folder does not hold the text of the column's value. */
  readonly field: Field | undefined;
  readonly levels: number | undefined;
}

/** The partitions, and folders above them, whose rows can satisfy the filter. */
export function partitionFilter(
  config: TableConfig,
  schema: TableSchema,
  predicate: BoundPredicate | undefined,
): PartitionFilter {
  const columns = partitionLevels(config, schema);
  if (!predicate) return () => true;
  if (!columns.some(({ field }) => field && predicate.columns.has(field.name))) return () => true;
  return (path, isWhole) => {
    const bounds = pathBounds(config, columns, path, isWhole);
    return predicate.mayMatch((column) => bounds.get(column));
  };
}

function partitionLevels(config: TableConfig, schema: TableSchema): PartitionLevels[] {
  const { keyGenerator, urlEncode } = config;
  const { partitions, timestamps } = keyGenerator;
  return partitions.map(({ name, kind }): PartitionLevels => {
    if (kind === "timestamp") {
      const levels = urlEncode ? 1 : timestamps?.outputFormat.text.split("/").length;
      return { name, field: undefined, levels };
    }
    const field = findField(schema, name);
    // Other engines put a slash of a value into the path as it is, which makes more levels.
    const makesLevels = field === undefined || isText(field.type);
    return { name, field, levels: makesLevels && !urlEncode ? undefined : 1 };
  });
}

/** The bounds of the columns that the path tells of. */
function pathBounds(
  config: TableConfig,
  columns: readonly PartitionLevels[],
  path: string,
  isWhole: boolean,
): ReadonlyMap<string, ColumnBounds> {
  const parts = path.split("/");
  const least = columns.reduce((sum, { levels = 1 }) => sum + levels, 0);
  // Where there are as few levels as there can be, no value has made more than one.
  const isPlain = isWhole && parts.length === least;
  const found = new Map<string, ColumnBounds>();
  let at = 0;
  for (const [index, { name, field, levels }] of columns.entries()) {
    if (at >= parts.length) break;
    // All that is left belongs to the last column.
    const isLast = index === columns.length - 1;
    const part = isLast ? parts.slice(at).join("/") : (parts[at] as string);
    const isExact = isPlain || levels !== undefined || (isLast && isWhole);
    const bounds = field && segmentBounds(config, { ...field, name }, part, isExact);
    if (bounds) found.set(name, bounds);
    if (!isExact) break;
    at += levels ?? 1;
  }
  return found;
}

/** The bounds of a column whose value makes this folder, or (not `isExact`) this one and more below. */
function segmentBounds(
  config: TableConfig,
  field: Field,
  part: string,
  isExact: boolean,
): ColumnBounds | undefined {
  const prefix = `${field.name}=`;
  const segment = config.hiveStyle && part.startsWith(prefix) ? part.slice(prefix.length) : part;
  // The default partition holds nulls and, of strings, empty values.
  if (segment === DEFAULT_PARTITION || segment === "default") return undefined;
  const text = config.urlEncode ? decodeSegment(segment) : segment;
  if (isText(field.type)) {
    // The folder may be the upper part of a value with slashes: that begins with it.
    const least = Buffer.from(text, "utf8");
    const greatest = isExact ? least : Buffer.concat([least, Buffer.of(0x2f, 0xff)]);
    return { extremes: storedColumn(field.type, [least, greatest]), mayHoldNulls: false };
  }
  const builder = createColumnBuilder({ ...field, nullable: false });
  try {
    for (let extreme = 0; extreme < 2; extreme += 1)
      builder.append(parsePartitionValue(field, text));
  } catch {
    return undefined;
  }
  const extremes = builder.finish();
  // A value that does not read back as the path says nothing about the rows.
  const back = runAtOnce(formatColumn(field, extremes));
  const readsBack = Buffer.from(back.data.subarray(0, back.offsets[1])).toString("utf8") === text;
  return readsBack ? { extremes, mayHoldNulls: false } : undefined;
}

function decodeSegment(segment: string): string {
  return segment.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function parsePartitionValue(field: Field, text: string): unknown {
  switch (field.type.kind) {
    case "int":
      return Number(text);
    case "long":
    case "timestamp-micros":
      return BigInt(text);
    case "boolean":
      return text === "true";
    default:
      return text;
  }
}
