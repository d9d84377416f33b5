// How a complex key of one column is written in a table whose properties do not tell: as its files have
// it. Rules: spec/format/record-key.md, RK-14.
import { HudiError } from "../errors.ts";
import { findKeyRange, openBaseFile } from "../file-group/base-file.ts";
import { hasBaseFile } from "../file-group/file-slice.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import { COMPLEX_KEY_ENCODING } from "../layout/key-generator.ts";
import type { TableConfig } from "../layout/table-config.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** Files that are looked into. */
const MOST_FILES = 16;

const settled = new WeakMap<TableContext, TableConfig>();

/**
 * The settings of the table with the text form of its keys known. Throws `UNSUPPORTED` where its files
 * do not agree on one.
 */
export async function settleKeyText(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<TableConfig> {
  const { config } = context;
  if (config.keyGenerator.keyText !== "unknown") return config;
  const known = settled.get(context);
  if (known) return known;
  const found = await probeKeyText(context, timeline, signal);
  // A table without keys gets those of Hudi 0.15, but may get others from another engine meanwhile.
  const keyText = found ?? "value";
  const result = { ...config, keyGenerator: { ...config.keyGenerator, keyText } };
  if (found) settled.set(context, result);
  return result;
}

async function probeKeyText(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<"value" | "fields" | undefined> {
  const { config, storage } = context;
  const view = await loadFileSystemView(context, timeline, { signal });
  const prefix = Buffer.from(`${config.recordKeyFields[0]}:`, "utf8");
  let prefixed = 0;
  let seen = 0;
  for (const { baseFile } of view.slices.filter(hasBaseFile).slice(0, MOST_FILES)) {
    const range = findKeyRange(await openBaseFile(storage, baseFile, { signal }));
    for (const key of range ? [range.min, range.max] : []) {
      seen += 1;
      if (prefix.equals(key.subarray(0, prefix.length))) prefixed += 1;
    }
  }
  if (seen === 0 && view.slices.length === 0) return undefined;
  if (seen > 0 && prefixed === 0) return "value";
  if (seen > 0 && prefixed === seen) return "fields";
  throw new HudiError(
    "UNSUPPORTED",
    `cannot write table ${storage.location}: its complex key generator has one column, and of ${seen} keys in its files ${prefixed} begin with ${prefix}; open it with the property ${COMPLEX_KEY_ENCODING}, VALUE_ONLY or FIELD_PREFIXED`,
  );
}
