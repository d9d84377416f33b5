// Which version of a key wins among the logs of a slice, against the rules spelled out over rows.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findLogFile, type LogFile } from "../../src/file-group/log-file.ts";
import {
  collectLogRows,
  type LogMergeRules,
  type MergedLogs,
  mergeLogs,
} from "../../src/file-group/log-merge.ts";
import { scanLogFiles } from "../../src/file-group/log-scan.ts";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { encodeLogBlock, type NewLogBlock } from "../../src/format/log-block.ts";
import { encodeAvroContent } from "../../src/format/log-content.ts";
import { encodeDeletes } from "../../src/format/log-deletes.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import { addMetaFields } from "../../src/layout/record-key.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { columnOf, valuesIn } from "../format/column-samples.ts";

const SCHEMA = createTableSchema("t", { id: "string", at: "long?", note: "string?" });
const WITH_META = addMetaFields(SCHEMA);
const AT = SCHEMA.fields[1] as Field;
const INSTANT = "20260101000000001";

/** A version of a key: a row, or its deletion. Deletions without a value have the value null. */
interface Version {
  readonly key: string;
  readonly at: bigint | null;
  readonly note: string;
  readonly isDeletion: boolean;
}

/** One block for each list; rows and deletions do not share one. */
function blockOf(versions: readonly Version[]): NewLogBlock {
  const header = new Map([
    ["instant", INSTANT],
    ["schema", formatAvroSchema(SCHEMA, { namespace: "n", metaColumns: true })],
  ] as const);
  const keys = columnOf(
    SCHEMA.fields[0] as Field,
    versions.map(({ key }) => key),
  );
  const ordering = columnOf(
    AT,
    versions.map(({ at }) => at),
  );
  if (versions[0]?.isDeletion) {
    return {
      type: "delete",
      header,
      content: [encodeDeletes({ keys: keys as never, ordering }, AT, "")],
    };
  }
  const notes = columnOf(
    SCHEMA.fields[2] as Field,
    versions.map(({ note }) => note),
  );
  const meta = (text: (version: Version) => string) =>
    columnOf(WITH_META.fields[0] as Field, versions.map(text));
  const columns = [
    ...[() => INSTANT, () => "s", ({ key }: Version) => key, () => "", () => "f"].map(meta),
    ...[keys, ordering, notes],
  ];
  const batch = { schema: WITH_META, rowCount: versions.length, columns };
  return { type: "avro", header, content: [encodeAvroContent(batch, 0, versions.length)] };
}

async function merge(
  blocks: readonly (readonly Version[])[],
  rules: LogMergeRules,
): Promise<Merged> {
  const storage = new MemoryStorage();
  const path = `p/.g-0_${INSTANT}.log.1_0-0-0`;
  const bytes = new Uint8Array(
    Buffer.concat(blocks.flatMap((one) => encodeLogBlock(blockOf(one)))),
  );
  await storage.put(path, bytes);
  const file = findLogFile(path, bytes.length) as LogFile;
  const scan = await scanLogFiles(storage, [file], { isVisible: () => true });
  const logs = await mergeLogs(scan.blocks, rules);
  const rows = await collectLogRows(logs, SCHEMA);
  expect(Array.from(rows.finalRows, (row) => row < 0)).toEqual(
    Array.from(logs.deletes, (mark) => mark === 1),
  );
  return { ...logs, ...rows };
}

type Merged = MergedLogs & Awaited<ReturnType<typeof collectLogRows>>;

/** What the merge says, by key: the note of the row that won or null, and what a stored row must not exceed. */
function contentOf({ keys, batch, finalRows, ordering }: Merged): Map<string, unknown> {
  const names = valuesIn(SCHEMA.fields[0] as Field, keys) as string[];
  const notes = valuesIn(SCHEMA.fields[2] as Field, batch.columns[2] as never);
  const limits = ordering && valuesIn({ ...AT, nullable: true }, ordering);
  return new Map(
    names.map((name, key) => {
      const row = finalRows[key] as number;
      return [name, { note: row < 0 ? null : notes[row], limit: limits?.[key] ?? null }];
    }),
  );
}

/** The same, version by version. */
function expectedOf(
  blocks: readonly (readonly Version[])[],
  { orderingField, deletions, weighsStored }: LogMergeRules,
): Map<string, unknown> {
  const won = new Map<string, Version>();
  for (const version of blocks.flat()) {
    const known = won.get(version.key);
    const isFree = deletions === "payload" && known?.isDeletion && !version.isDeletion;
    const stays =
      known &&
      orderingField &&
      !isFree &&
      version.at !== null &&
      known.at !== null &&
      known.at > version.at;
    if (!stays) won.set(version.key, version);
  }
  return new Map(
    [...won].map(([key, { note, at, isDeletion }]) => {
      const isAlways = !weighsStored || !orderingField || (isDeletion && deletions === "payload");
      return [key, { note: isDeletion ? null : note, limit: isAlways ? null : at }];
    }),
  );
}

const version = (isDeletion: boolean): fc.Arbitrary<Version> =>
  fc.record({
    key: fc.constantFrom("a", "b", "c", "d"),
    at: fc.option(fc.bigInt({ min: 1n, max: 4n }), { nil: null }),
    note: fc.string({ maxLength: 3, unit: "grapheme-ascii" }),
    isDeletion: fc.constant(isDeletion),
  });
const block = fc
  .boolean()
  .chain((isDeletion) => fc.array(version(isDeletion), { minLength: 1, maxLength: 4 }));

describe.each<[string, LogMergeRules]>([
  ["payload, up to version 6", { orderingField: AT, deletions: "payload", weighsStored: true }],
  ["the latest, up to version 6", { orderingField: AT, deletions: "payload", weighsStored: false }],
  [
    "event time, from version 8",
    { orderingField: AT, deletions: "event-time", weighsStored: true },
  ],
  [
    "commit time, without an ordering field",
    { orderingField: undefined, deletions: "payload", weighsStored: true },
  ],
])("by the rule of %s", (_, rules) => {
  test("random logs leave the version that the rules name (MR-15, MR-16, MR-17)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(block, { maxLength: 6 }), async (blocks) => {
        expect(contentOf(await merge(blocks, rules))).toEqual(expectedOf(blocks, rules));
      }),
      { numRuns: 150 },
    );
  });
});

test("what Spark left of a key that came back older than its deletion (MR-15)", async () => {
  const one = (at: bigint, isDeletion: boolean, note = ""): Version => ({
    key: "a",
    at,
    note,
    isDeletion,
  });
  const rules = { orderingField: AT, deletions: "payload", weighsStored: true } as const;
  const back = await merge([[one(200n, true)], [one(150n, false, "back")]], rules);
  expect(contentOf(back).get("a")).toEqual({ note: "back", limit: 150n });
  const older = await merge([[one(200n, false, "kept")], [one(150n, true)]], rules);
  expect(contentOf(older).get("a")).toEqual({ note: "kept", limit: 200n });
});
