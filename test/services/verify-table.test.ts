// What `verify` finds: each kind of damage is planted into a sound table, and told with its rule and place.
import { beforeAll, describe, expect, test } from "vitest";
import { FOOTER_BLOOM, FOOTER_MAX_KEY } from "../../src/file-group/base-file.ts";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { createBloomFilter } from "../../src/format/bloom-filter.ts";
import { encodeLogBlock, type LogHeaderKey } from "../../src/format/log-block.ts";
import { encodeAvroContent } from "../../src/format/log-content.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { addMetaFields } from "../../src/layout/record-key.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { encodeCleanMetadata, encodeCleanPlan } from "../../src/timeline/clean-plan.ts";
import { encodeCompactionPlan } from "../../src/timeline/compaction-plan.ts";
import { encodeSavepointMetadata } from "../../src/timeline/savepoint-metadata.ts";
import { batchOfRows } from "../file-group/base-file-samples.ts";
import {
  bytesOf,
  copyFile,
  cut,
  edit,
  editBaseFile,
  editText,
  type FileEdit,
  fixtureTable,
  pathLike,
  soundLogTable,
  soundTable,
  verifyStore,
} from "./damage-kit.ts";

const MARKER = new Uint8Array(16);

/** Tables to spoil; each test has a copy. */
const SAMPLES = {
  bloom: () => soundTable(),
  bucket: () => soundTable({ kind: "bucket", buckets: 2 }),
  global: () => soundTable({ kind: "global-bloom" }),
  ownLogs: soundLogTable,
  logs: async () => fixtureTable("v6_mor_nonpartitioned_8i3u1d"),
  logBuckets: async () => fixtureTable("v6_mor_nonpartitioned_bucket_8i3u1d"),
  cleaned: async () => fixtureTable("v6_cow_nonpartitioned_archived_8i7u"),
  rolledBack: async () => fixtureTable("v6_cow_hivestyle_rolledback_6i2u"),
  version8: async () => fixtureTable("v8_cow_hivestyle_8i3u1d"),
  version9: async () => fixtureTable("v9_cow_hivestyle_8i3u1d"),
} as const;
type Sample = keyof typeof SAMPLES;
const samples = new Map<Sample, MemoryStore>();

beforeAll(async () => {
  for (const name of Object.keys(SAMPLES) as Sample[]) samples.set(name, await SAMPLES[name]());
});

function copyOf(sample: Sample): MemoryStore {
  return (samples.get(sample) as MemoryStore).copy();
}

/** One kind of damage. */
interface Damage {
  readonly name: string;
  readonly in: Sample;
  readonly plant: (store: MemoryStore) => unknown;
  /** Rules of the findings, each once, in order. */
  readonly rules: readonly string[];
  readonly place?: RegExp;
  readonly found: RegExp;
  /** Whether it takes the reading of rows. */
  readonly inRows?: true;
}

const PROPERTIES = ".hoodie/hoodie.properties";
const P = /^p\/.*\.parquet$/;
const Q = /^q\/.*\.parquet$/;
const LOG = /^\..*\.log\.\d/;
const LAST_COMMIT = /^\.hoodie\/\d+\.commit$/;

const rows =
  (change: FileEdit["rows"], pattern = P) =>
  (store: MemoryStore): Promise<void> =>
    editBaseFile(store, pathLike(store, pattern), change ? { rows: change } : {});
const set =
  (column: string, value: unknown) =>
  (all: Record<string, unknown>[]): Record<string, unknown>[] =>
    all.map((row, index) => (index === 0 ? { ...row, [column]: value } : row));

const PROPERTY_DAMAGE: readonly Damage[] = [
  {
    name: "hoodie.properties with a wrong checksum",
    in: "bloom",
    plant: (store) => {
      copyFile(store, PROPERTIES, `${PROPERTIES}.backup`);
      editText(store, PROPERTIES, /checksum=\d+/, "checksum=1");
    },
    rules: ["TBL-3"],
    place: /hoodie\.properties$/,
    found: /hoodie\.table\.checksum is 1/,
  },
  {
    name: "hoodie.properties that is gone, but for its backup",
    in: "bloom",
    plant: (store) => {
      copyFile(store, PROPERTIES, `${PROPERTIES}.backup`);
      store.delete([PROPERTIES]);
    },
    rules: ["TBL-5"],
    found: /it is missing/,
  },
  {
    name: "a version that goes with another layout",
    in: "bloom",
    plant: (store) => {
      copyFile(store, PROPERTIES, `${PROPERTIES}.backup`);
      editText(store, PROPERTIES, "layout.version=1", "layout.version=2");
    },
    rules: ["TBL-4"],
    found: /version 6 goes with/,
  },
  {
    name: "instants in the folder of another layout",
    in: "bloom",
    plant: (store) =>
      copyFile(
        store,
        pathLike(store, LAST_COMMIT),
        ".hoodie/timeline/20260115120000000_20260115120001000.commit",
      ),
    rules: ["TBL-1"],
    found: /1 files of instants lie in \.hoodie\/timeline/,
  },
];

const TIMELINE_DAMAGE: readonly Damage[] = [
  {
    name: "a commit of 0 bytes",
    in: "bloom",
    plant: (store) => cut(store, pathLike(store, LAST_COMMIT), 0),
    rules: ["VF-6"],
    place: LAST_COMMIT,
    found: /0 bytes/,
  },
  {
    name: "a torn commit",
    in: "bloom",
    plant: (store) => cut(store, pathLike(store, LAST_COMMIT)),
    rules: ["CM-8"],
    place: LAST_COMMIT,
    found: /cannot read/,
  },
  {
    name: "a torn commit of version 8",
    in: "version8",
    plant: (store) => cut(store, pathLike(store, /^\.hoodie\/timeline\/\d+_\d+\.commit$/)),
    rules: ["CM-8"],
    found: /cannot read/,
  },
  {
    name: "a commit whose schema is none",
    in: "bloom",
    plant: (store) =>
      editText(
        store,
        pathLike(store, LAST_COMMIT),
        String.raw`\"type\":\"record\"`,
        String.raw`\"type\":\"rec\"`,
      ),
    rules: ["SC-4"],
    found: /schema/,
  },
  {
    name: "an inflight instant without request",
    in: "bloom",
    plant: (store) => store.put(".hoodie/20260115130000000.inflight", Buffer.from("{}"), undefined),
    rules: ["VF-4"],
    found: /was not requested/,
  },
  {
    name: "a torn inflight commit",
    in: "bloom",
    plant: (store) => {
      store.put(".hoodie/20260115130000000.commit.requested", new Uint8Array(0), undefined);
      store.put(".hoodie/20260115130000000.inflight", Buffer.from('{"partition'), undefined);
    },
    rules: ["AP-8"],
    found: /20260115130000000\.inflight/,
  },
  {
    name: "two completed actions of one time",
    in: "bloom",
    plant: (store) => {
      const commit = pathLike(store, LAST_COMMIT);
      copyFile(store, commit, commit.replace("commit", "deltacommit"));
    },
    rules: ["VF-5"],
    found: /completed at the same time/,
  },
  {
    name: "a torn clean",
    in: "cleaned",
    plant: (store) => cut(store, pathLike(store, /\.clean$/)),
    rules: ["AP-8"],
    place: /\.clean$/,
    found: /cannot (read|decode)/,
  },
  {
    name: "a torn rollback",
    in: "rolledBack",
    plant: (store) => cut(store, pathLike(store, /\.rollback$/)),
    rules: ["AP-8"],
    place: /\.rollback$/,
    found: /cannot (read|decode)/,
  },
  {
    name: "a savepoint that is no savepoint",
    in: "bloom",
    plant: (store) =>
      store.put(
        pathLike(store, LAST_COMMIT).replace("commit", "savepoint"),
        Buffer.from("{}"),
        undefined,
      ),
    rules: ["AP-8"],
    place: /\.savepoint$/,
    found: /cannot/,
  },
  {
    name: "a savepoint of a file that is gone",
    in: "bloom",
    plant: async (store) =>
      store.put(
        pathLike(store, LAST_COMMIT).replace("commit", "savepoint"),
        await encodeSavepointMetadata(
          { user: "u", comments: "", createdMs: 1, files: new Map([["p", ["gone.parquet"]]]) },
          MARKER,
        ),
        undefined,
      ),
    rules: ["VF-9"],
    place: /^p\/gone\.parquet$/,
    found: /keeps it/,
  },
];

async function planCompaction(store: MemoryStore, name: string): Promise<void> {
  const { fileId = "" } = /^(?<fileId>[^_]+)_/.exec(pathLike(store, /\.parquet$/))?.groups ?? {};
  const operation = {
    partitionPath: "",
    fileId,
    baseInstant: "20261120092000000",
    dataFile: name,
    logFiles: [],
    metrics: new Map(),
  };
  const plan = await encodeCompactionPlan({ operations: [operation] }, MARKER);
  const file = "29991120092000000.compaction.requested";
  store.put(`.hoodie/${file}`, plan, undefined);
  store.put(`.hoodie/.aux/${file}`, plan, undefined);
}

const PLAN_DAMAGE: readonly Damage[] = [
  {
    name: "a pending compaction of a file that is gone",
    in: "logs",
    plant: (store) => planCompaction(store, "gone.parquet"),
    rules: ["VF-9"],
    place: /^gone\.parquet$/,
    found: /will read it/,
  },
  {
    name: "a pending compaction whose copy differs",
    in: "logs",
    plant: async (store) => {
      await planCompaction(store, pathLike(store, /\.parquet$/));
      cut(store, pathLike(store, /\.aux\//));
    },
    rules: ["VF-9"],
    found: /differs/,
  },
];

const FILE_DAMAGE: readonly Damage[] = [
  {
    name: "a base file that is gone",
    in: "bloom",
    plant: (store) => store.delete([pathLike(store, Q)]),
    rules: ["VF-6"],
    place: Q,
    found: /is missing; commit \d+ wrote it and readers need it/,
  },
  {
    name: "an older base file that no clean removed",
    in: "bloom",
    plant: (store) =>
      store.delete([
        [...store.paths()].filter((path) => P.test(path)).sort(byInstant)[0] as string,
      ]),
    rules: ["VF-6"],
    found: /no clean removed it/,
  },
  {
    name: "a log that is gone",
    in: "logs",
    plant: (store) => store.delete([pathLike(store, LOG)]),
    rules: ["VF-6"],
    place: LOG,
    found: /readers need it/,
  },
  {
    name: "a truncated base file",
    in: "bloom",
    plant: (store) => cut(store, pathLike(store, Q)),
    rules: ["PQ-2", "VF-7"],
    place: Q,
    found: /truncated|has \d+ bytes, expected/,
  },
  {
    name: "a size that differs from the stat",
    in: "bloom",
    plant: (store) =>
      editText(store, pathLike(store, LAST_COMMIT), /"fileSizeInBytes":\d+/, '"fileSizeInBytes":7'),
    rules: ["VF-7"],
    found: /expected 7 as its write/,
  },
  {
    name: "a number of rows that differs from the stat",
    in: "bloom",
    plant: (store) =>
      editText(store, pathLike(store, LAST_COMMIT), /"numWrites":\d+/, '"numWrites":7'),
    rules: ["VF-7"],
    found: /has 3 rows, expected 7/,
  },
  {
    name: "a second file of a completed write",
    in: "bloom",
    plant: (store) =>
      copyFile(store, pathLike(store, Q), pathLike(store, Q).replace(/_[^_]+_/, "_9-9-9_")),
    rules: ["VF-8", "RK-9"],
    place: /_9-9-9_/,
    found: /does not name it|_hoodie_file_name/,
  },
  {
    name: "a file of no known instant",
    in: "bloom",
    plant: (store) =>
      copyFile(
        store,
        pathLike(store, Q),
        pathLike(store, Q).replace(/_\d{17}\./, "_20260114120000000."),
      ),
    rules: ["VF-8"],
    found: /nothing on the timeline knows/,
  },
  {
    name: "a Parquet file of a foreign name",
    in: "bloom",
    plant: (store) => copyFile(store, pathLike(store, Q), "q/part-00000.parquet"),
    rules: ["FSV-5"],
    place: /part-00000/,
    found: /name is none of a base file/,
  },
  {
    name: "a log in a copy-on-write table",
    in: "bloom",
    plant: (store) => {
      const [, fileId, instant] = /^q\/([^_]+)_.*_(\d+)\.parquet$/.exec(pathLike(store, Q)) ?? [];
      store.put(`q/.${fileId}_${instant}.log.1_0-0-0`, new Uint8Array(0), undefined);
    },
    rules: ["FSV-5"],
    found: /is a log file/,
  },
  {
    name: "a partition without metafile",
    in: "bloom",
    plant: (store) => store.delete(["q/.hoodie_partition_metadata"]),
    rules: ["TBL-9"],
    place: /^q\//,
    found: /Java engines do not see/,
  },
  {
    name: "a metafile with another depth",
    in: "bloom",
    plant: (store) => editText(store, "q/.hoodie_partition_metadata", "Depth=1", "Depth=2"),
    rules: ["TBL-9"],
    found: /partitionDepth is 2, expected 1/,
  },
  {
    name: "an empty metafile",
    in: "bloom",
    plant: (store) => cut(store, "q/.hoodie_partition_metadata", 0),
    rules: ["TBL-9"],
    found: /does not say partitionDepth/,
  },
  {
    name: "two file groups of one bucket",
    in: "bucket",
    plant: async (store) => {
      const path = pathLike(store, Q);
      const other = path.replace(/-[0-9a-f]{4}-/, "-0000-");
      copyFile(store, path, other);
      const commit = `.hoodie/${/_(\d{17})\.parquet$/.exec(path)?.[1]}.commit`;
      edit(store, commit, (bytes) => {
        const all = JSON.parse(bytes.toString("utf8"));
        const stats = all.partitionToWriteStats.q;
        const stat = stats.find((one: { path: string }) => one.path === path);
        stats.push({ ...stat, path: other, fileId: /^q\/([^_]+)/.exec(other)?.[1] });
        return Buffer.from(JSON.stringify(all));
      });
      const change = set("_hoodie_file_name", other.slice(2));
      await editBaseFile(store, other, {
        rows: (all) => all.slice(0, 1).flatMap((row) => change([row])),
      });
    },
    rules: ["IX-9", "VF-12"],
    found: /belong to one bucket|stands? twice/,
    inRows: true,
  },
];

function byInstant(a: string, b: string): number {
  const instant = (path: string): string => /(\d{17})\.parquet$/.exec(path)?.[1] ?? "";
  return instant(a) < instant(b) ? -1 : 1;
}

const BASE_DAMAGE: readonly Damage[] = [
  {
    name: "a damaged footer",
    in: "bloom",
    plant: (store) =>
      edit(store, pathLike(store, Q), (bytes) =>
        bytes.fill(0xff, bytes.length - 12, bytes.length - 8),
      ),
    rules: ["PQ-2"],
    found: /footer/,
  },
  {
    name: "a damaged page",
    in: "bloom",
    plant: (store) => edit(store, pathLike(store, Q), (bytes) => bytes.fill(0xff, 4, 24)),
    rules: ["PQ-3"],
    found: /q\/.*\.parquet/,
    inRows: true,
  },
  {
    name: "a file without a meta column",
    in: "bloom",
    plant: (store) => editBaseFile(store, pathLike(store, Q), { without: ["_hoodie_record_key"] }),
    rules: ["RK-7"],
    found: /no column _hoodie_record_key/,
  },
  {
    name: "a file without a column of its commit",
    in: "bloom",
    plant: (store) => editBaseFile(store, pathLike(store, Q), { without: ["value"] }),
    rules: ["VF-14", "VF-14"],
    found: /no column value/,
  },
  {
    name: "a column of another type than its commit states",
    in: "bloom",
    plant: (store) =>
      editText(
        store,
        `.hoodie/${/_(\d{17})\.parquet$/.exec(pathLike(store, Q))?.[1]}.commit`,
        String.raw`\"value\",\"type\":\"long\"`,
        String.raw`\"value\",\"type\":\"boolean\"`,
      ),
    rules: ["VF-14"],
    found: /column value is/,
    inRows: true,
  },
  {
    name: "a null record key",
    in: "bloom",
    plant: rows(set("_hoodie_record_key", null)),
    rules: ["RK-1", "VF-11"],
    found: /null/,
    inRows: true,
  },
  {
    name: "a key outside of the footer's range",
    in: "bloom",
    plant: (store) =>
      editBaseFile(store, pathLike(store, P), {
        footer: (footer) => footer.set(FOOTER_MAX_KEY, "b"),
      }),
    rules: ["BASE-2"],
    found: /row 2: key "e" lies outside of the footer's range a to b/,
    inRows: true,
  },
  {
    name: "a bloom filter that denies a key",
    in: "bloom",
    plant: (store) =>
      editBaseFile(store, pathLike(store, P), {
        footer: (footer) => footer.set(FOOTER_BLOOM, createBloomFilter({ entries: 100 }).encode()),
      }),
    rules: ["BASE-3"],
    found: /bloom filter denies key "a".*2 more rows/,
    inRows: true,
  },
  {
    name: "a bloom filter that is none",
    in: "bloom",
    plant: (store) =>
      editBaseFile(store, pathLike(store, P), {
        footer: (footer) => footer.set(FOOTER_BLOOM, "!!!"),
      }),
    rules: ["BASE-3"],
    found: /not base64/,
    inRows: true,
  },
  {
    name: "a wrong file name in a row",
    in: "bloom",
    plant: rows(set("_hoodie_file_name", "other.parquet")),
    rules: ["RK-9"],
    found: /_hoodie_file_name is "other\.parquet"/,
    inRows: true,
  },
  {
    name: "a wrong partition path in a row",
    in: "bloom",
    plant: rows(set("_hoodie_partition_path", "q")),
    rules: ["VF-10"],
    found: /_hoodie_partition_path is "q", expected "p"/,
    inRows: true,
  },
  {
    name: "a commit time of no write",
    in: "bloom",
    plant: rows(set("_hoodie_commit_time", "20260115120000500")),
    rules: ["VF-10"],
    found: /_hoodie_commit_time is "20260115120000500"/,
    inRows: true,
  },
  {
    name: "a commit time after the file's",
    in: "bloom",
    plant: (store) =>
      editBaseFile(store, pathLike(store, Q), {
        rows: set("_hoodie_commit_time", pathLike(store, LAST_COMMIT).slice(8, 25)),
      }),
    rules: ["VF-10"],
    found: /not after/,
    inRows: true,
  },
  {
    name: "a key that the columns do not make",
    in: "bloom",
    plant: rows(set("id", "x")),
    rules: ["VF-11"],
    found: /_hoodie_record_key is "a", expected "x"/,
    inRows: true,
  },
  {
    name: "a row in the wrong partition",
    in: "bloom",
    plant: rows(set("part", "q")),
    rules: ["VF-11"],
    found: /lies in partition "p", expected "q"/,
    inRows: true,
  },
  {
    name: "a key in the wrong bucket",
    in: "bucket",
    plant: (store) =>
      editBaseFile(store, pathLike(store, /^p\/00000000.*parquet$/), {
        rows: (all) => set("id", "f")(set("_hoodie_record_key", "f")(all)),
        footer: (footer) => footer.clear(),
      }),
    rules: ["IX-8"],
    found: /belongs to bucket/,
    inRows: true,
  },
  {
    name: "a key twice in a file",
    in: "bloom",
    plant: rows((all) => [...all, all[0] as Record<string, unknown>]),
    rules: ["VF-12"],
    found: /key "a" stands twice: in the file group itself/,
    inRows: true,
  },
];

/** Adds a block to the newest log, which it belongs to as others of its instant do. */
function addBlock(
  store: MemoryStore,
  type: "avro" | "delete",
  content: Uint8Array,
  header: readonly (readonly [LogHeaderKey, string])[] = [],
): void {
  const instant = /(\d{17})\.deltacommit$/.exec(pathLike(store, /\.deltacommit$/))?.[1] ?? "";
  const block = {
    type,
    header: new Map<LogHeaderKey, string>([["instant", instant], ...header]),
    content: [content],
  };
  edit(store, pathLike(store, LOG), (bytes) => Buffer.concat([bytes, ...encodeLogBlock(block)]));
}

const ID_SCHEMA = createTableSchema("r", { id: "string" });

/** Adds a data block of one row. */
function addRow(store: MemoryStore, key: string | null, partitionPath = ""): void {
  const batch = batchOfRows(addMetaFields(ID_SCHEMA), [
    {
      _hoodie_commit_time: "1",
      _hoodie_commit_seqno: "1",
      _hoodie_record_key: key,
      _hoodie_partition_path: partitionPath,
      _hoodie_file_name: "f",
      id: key ?? "x",
    },
  ]);
  const schema = formatAvroSchema(ID_SCHEMA, { namespace: "n", metaColumns: true });
  addBlock(store, "avro", encodeAvroContent(batch, 0, 1), [["schema", schema]]);
}

const LOG_DAMAGE: readonly Damage[] = [
  {
    name: "a block whose lengths disagree",
    in: "logs",
    plant: (store) =>
      edit(store, pathLike(store, LOG), (bytes) => bytes.fill(0xff, bytes.length - 1)),
    rules: ["LOG-5"],
    place: LOG,
    found: /\d+ bytes from byte 0 on are no block/,
  },
  {
    name: "a truncated log",
    in: "logs",
    plant: (store) => cut(store, pathLike(store, LOG)),
    rules: ["LOG-5", "VF-7"],
    place: LOG,
    found: /are no block|has \d+ bytes, expected/,
  },
  {
    name: "a log that does not begin as one",
    in: "logs",
    plant: (store) => editText(store, pathLike(store, LOG), "#HUDI#", "#HUDO#"),
    rules: ["LOG-6"],
    found: /does not begin with #HUDI#/,
  },
  {
    name: "a block of an unknown type",
    in: "logs",
    plant: (store) => edit(store, pathLike(store, LOG), (bytes) => bytes.fill(9, 21, 22)),
    rules: ["LOG-2"],
    found: /block type 9/,
  },
  {
    name: "a block of no known instant",
    in: "logs",
    plant: (store) => editText(store, pathLike(store, LOG), /\d{17}/, "20260101000000000"),
    rules: ["LOG-12"],
    found: /knows its instant 20260101000000000/,
  },
  {
    name: "a data block without schema",
    in: "logs",
    plant: (store) => addBlock(store, "avro", new Uint8Array(8)),
    rules: ["LOG-3"],
    found: /has no schema/,
  },
  {
    name: "a data block with nonsense inside",
    in: "logs",
    plant: (store) =>
      addBlock(store, "avro", Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 9), [
        ["schema", formatAvroSchema(ID_SCHEMA, { namespace: "n", metaColumns: true })],
      ]),
    rules: ["LOG-7"],
    found: /found 9 records/,
    inRows: true,
  },
  {
    name: "a delete block with nonsense inside",
    in: "logs",
    plant: (store) => addBlock(store, "delete", Uint8Array.of(0, 0, 0, 3, 0, 0, 9, 9)),
    rules: ["LOG-9"],
    found: /block at byte/,
    inRows: true,
  },
  {
    name: "a row without key in a log",
    in: "logs",
    plant: (store) => addRow(store, null),
    rules: ["RK-1"],
    found: /_hoodie_record_key is null or empty/,
    inRows: true,
  },
  {
    name: "a row of another partition in a log",
    in: "logs",
    plant: (store) => addRow(store, "x", "elsewhere"),
    rules: ["VF-10"],
    found: /_hoodie_partition_path is "elsewhere", expected ""/,
    inRows: true,
  },
  {
    name: "a key in logs that the bloom index does not find",
    in: "logs",
    plant: (store) => {
      editText(
        store,
        PROPERTIES,
        "hoodie.table.version",
        "hoodie.index.type=BLOOM\nhoodie.table.version",
      );
      addRow(store, "unheard of");
    },
    rules: ["VF-13"],
    found: /1 keys stand in logs and not in the base file, among them unheard of/,
    inRows: true,
  },
  {
    name: "a key in a log of the wrong bucket",
    in: "logBuckets",
    plant: (store) => {
      const buckets = "hoodie.index.type=BUCKET\nhoodie.bucket.index.num.buckets=2\n";
      editText(store, PROPERTIES, "hoodie.table.version", `${buckets}hoodie.table.version`);
      const isFirst = /^\.00000000/.test(pathLike(store, LOG));
      // The hash of a key of one letter is 31 and its code.
      addRow(store, isFirst ? "b" : "a");
    },
    rules: ["IX-8"],
    found: /belongs to bucket/,
    inRows: true,
  },
];

async function expectFound(damage: Damage): Promise<void> {
  const store = copyOf(damage.in);
  await damage.plant(store);
  const { findings, ...report } = await verifyStore(store);
  const rules = findings.map(({ rule }) => rule);
  expect(new Set(rules)).toEqual(new Set(damage.rules));
  for (const { found, path, remedy } of findings) {
    expect(found).toMatch(damage.found);
    if (damage.place) expect(path).toMatch(damage.place);
    expect(remedy).not.toBe("");
  }
  expect(report.errors + report.warnings).toBe(findings.length);
  const quick = await verifyStore(store, { level: "quick" });
  expect(quick.findings.length > 0).toBe(damage.inRows !== true || damage.rules[0] === "IX-9");
}

describe("what is planted is found", () => {
  test.each(PROPERTY_DAMAGE)("in the properties: $name (VF-1, VF-2)", expectFound);
  test.each(TIMELINE_DAMAGE)("in the timeline: $name (VF-4, VF-5, VF-6)", expectFound);
  test.each(PLAN_DAMAGE)("in plans: $name (VF-9)", expectFound);
  test.each(FILE_DAMAGE)("among the files: $name (VF-6, VF-7, VF-8)", expectFound);
  test.each(BASE_DAMAGE)("in base files: $name (VF-10, VF-11, VF-14)", expectFound);
  test.each(LOG_DAMAGE)("in logs: $name (VF-10, VF-13)", expectFound);
});

describe("keys that stand twice", () => {
  /** Adds a file group with these rows to the first commit. */
  async function addGroup(store: MemoryStore, from: RegExp, to: string, keys: readonly string[]) {
    const path = pathLike(store, from);
    const name = path.slice(2).replace(/-[0-9a-f]{4}-/, "-0000-");
    copyFile(store, path, `${to}/${name}`);
    edit(store, `.hoodie/${/_(\d{17})\.parquet$/.exec(path)?.[1]}.commit`, (bytes) => {
      const all = JSON.parse(bytes.toString("utf8"));
      const stats = all.partitionToWriteStats;
      const stat = Object.values(stats)
        .flat()
        .find((one) => (one as { path: string }).path === path);
      const fileId = /^([^_]+)/.exec(name)?.[1];
      stats[to].push({ ...(stat as object), path: `${to}/${name}`, fileId, partitionPath: to });
      return Buffer.from(JSON.stringify(all));
    });
    await editBaseFile(store, `${to}/${name}`, {
      rows: (all) =>
        keys.map((key) => ({
          ...all[0],
          id: key,
          part: to,
          _hoodie_record_key: key,
          _hoodie_partition_path: to,
          _hoodie_file_name: name,
        })),
      footer: (footer) => footer.clear(),
    });
  }

  test("are told with both file groups, in one pass or in many (VF-12)", async () => {
    const store = copyOf("bloom");
    await addGroup(store, Q, "q", ["c", "d", "z"]);
    for (const keysAtOnce of [undefined, 1, 2]) {
      const { findings, errors } = await verifyStore(store, { keysAtOnce });
      expect(findings).toMatchObject([{ rule: "VF-12", severity: "error", partitionPath: "q" }]);
      expect(findings[0]?.found).toMatch(/^2 keys, among them "[cd]", stand twice: in file group /);
      expect(errors).toBe(1);
    }
  });

  test("in two partitions are damage under a global index only (VF-12)", async () => {
    for (const [sample, count] of [
      ["bloom", 0],
      ["global", 1],
    ] as const) {
      const store = copyOf(sample);
      await addGroup(store, Q, "p", ["c"]);
      const { findings } = await verifyStore(store);
      expect(findings).toHaveLength(count);
      if (count === 0) continue;
      expect(findings[0]).toMatchObject({ rule: "VF-12", severity: "error" });
      expect(findings[0]?.found).toContain('of partition "');
    }
  });

  test("are a warning where inserts were not looked up (VF-12)", async () => {
    const store = copyOf("bloom");
    await addGroup(store, Q, "q", ["c"]);
    editText(store, pathLike(store, LAST_COMMIT), '"UPSERT"', '"BULK_INSERT"');
    const { findings, errors, warnings } = await verifyStore(store);
    expect(findings).toMatchObject([{ rule: "VF-12", severity: "warning" }]);
    expect([errors, warnings]).toEqual([0, 1]);
  });
});

test("pending writes, newer ones and rolled back blocks are no findings (VF-3)", async () => {
  const store = copyOf("bloom");
  const later = "20260115120000500";
  store.put(`.hoodie/${later}.commit.requested`, new Uint8Array(0), undefined);
  copyFile(store, pathLike(store, Q), `q/other-0_0-0-0_${later}.parquet`);
  copyFile(store, pathLike(store, Q), "q/newer-0_0-0-0_20270101000000000.parquet");
  expect((await verifyStore(store)).findings).toEqual([]);
});

test("what a clean removed is no finding, unless readers need it (VF-3, VF-6)", async () => {
  const store = copyOf("bloom");
  const bases = [...store.paths()].filter((path) => P.test(path)).sort(byInstant);
  const clean = async (path: string): Promise<readonly string[]> => {
    store.delete([path]);
    const metadata = {
      startTime: "20260115120030000",
      timeTakenMs: 1,
      policy: "KEEP_LATEST_COMMITS",
      earliestCommitToRetain: "",
      lastCompleted: "",
      deletedFiles: new Map([["p", bases.map((base) => base.slice(2))]]),
      deletedPartitions: [],
    };
    const plan = {
      policy: metadata.policy,
      earliestToRetain: undefined,
      lastCompleted: "",
      filesToBeDeleted: new Map(),
      partitionsToBeDeleted: [],
    };
    const name = `.hoodie/${metadata.startTime}.clean`;
    store.put(`${name}.requested`, await encodeCleanPlan(plan, MARKER), undefined);
    store.put(name, await encodeCleanMetadata(metadata, MARKER), undefined);
    return (await verifyStore(store)).findings.map(({ rule, severity }) => `${severity} ${rule}`);
  };
  expect(await clean(bases[0] as string)).toEqual([]);
  expect(await clean(bases[1] as string)).toEqual(["error VF-6"]);
});

test("a check that writers overtook begins anew (VF-3)", async () => {
  const store = copyOf("bloom");
  const whole = copyOf("bloom");
  const gone = pathLike(store, Q);
  store.delete([gone]);
  let listings = 0;
  const restore = (): void => {
    listings += 1;
    if (listings !== 4) return;
    store.put(gone, bytesOf(whole, gone), undefined);
    store.put(".hoodie/20270101000000000.commit.requested", new Uint8Array(0), undefined);
  };
  const beforeCall = ({ method, path }: { method: string; path: string }): void => {
    if (method === "listFolder" && path === ".hoodie") restore();
  };
  const { findings } = await verifyStore(store, {}, { beforeCall });
  expect(findings).toEqual([]);
});

test("findings beyond a thousand are counted, and every group tells that it is done (VF-1, VF-2)", async () => {
  const store = copyOf("bloom");
  for (let file = 0; file < 1_010; file += 1)
    store.put(`q/x${file}.parquet`, new Uint8Array(1), undefined);
  const progress: number[] = [];
  const report = await verifyStore(store, {
    onProgress: ({ fileGroups }) => progress.push(fileGroups),
  });
  expect(report).toMatchObject({ errors: 1_010, omitted: 10, level: "full" });
  expect(report.findings).toHaveLength(1_000);
  expect(progress).toEqual([1, 2]);
  expect(report.checked).toMatchObject({ instants: 2, partitions: 2, fileGroups: 2, rows: 5 });
  await expect(verifyStore(store, { level: "some" as "full" })).rejects.toThrow(/found level some/);
});

test.each(Object.keys(SAMPLES) as Sample[])(
  "nothing is found in sample %s (VF-3)",
  async (name) => {
    expect(await verifyStore(copyOf(name))).toMatchObject({ findings: [], omitted: 0 });
  },
);
