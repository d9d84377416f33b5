// HudiTable, the facade: opens a table and hands each call to one function of a layer below.
import { HudiError } from "./errors.ts";
import type { FileSlice } from "./file-group/file-slice.ts";
import { loadCommitMetadata, loadFileSystemView } from "./file-group/file-system-view.ts";
import { loadTableSchema } from "./file-group/table-schema.ts";
import { createTaskRunner, type TaskRunner } from "./file-group/task-runner.ts";
import type { TableSchema } from "./format/schema.ts";
import type { Change } from "./layout/change.ts";
import { addKeyProperties } from "./layout/key-options.ts";
import type { SchemaChange } from "./layout/schema-change.ts";
import type { TableConfig } from "./layout/table-config.ts";
import {
  defineTable,
  type Fields,
  type RowOf,
  type SchemaTableDefinition,
  type TableDefinition,
} from "./layout/table-definition.ts";
import { ChangeScan } from "./read/change-scan.ts";
import { planIncremental } from "./read/incremental-query.ts";
import { isPredicate } from "./read/is-predicate.ts";
import { type Predicate, parseWhere } from "./read/predicate.ts";
import { PlannedScan, type Scan } from "./read/scan.ts";
import { planSnapshot } from "./read/snapshot-query.ts";
import { loadTableStats, type StatsOptions, type TableStats } from "./read/table-stats.ts";
import { bestEffort } from "./runtime/concurrency.ts";
import { type Runtime, systemRuntime } from "./runtime/runtime.ts";
import { type ArchiveOptions, type ArchiveReport, archiveTimeline } from "./services/archive.ts";
import { type CleanOptions, type CleanReport, cleanTable } from "./services/clean.ts";
import { type Clustering, type ClusterOptions, clusterTable } from "./services/clustering.ts";
import { type VerifyOptions, type VerifyReport, verifyTable } from "./services/verify-table.ts";
import { openStorage } from "./storage/open-storage.ts";
import { withReadCache } from "./storage/read-cache.ts";
import type { Storage } from "./storage/storage.ts";
import type {
  Abortable,
  InstantRange,
  ReadOptions,
  SnapshotRead,
  TableOptions,
} from "./table-options.ts";
import { type ActiveTimeline, loadActiveTimeline } from "./timeline/active-timeline.ts";
import type { CommitMetadata } from "./timeline/commit-metadata.ts";
import type { Instant } from "./timeline/instant.ts";
import { parseAsOf } from "./timeline/instant-time.ts";
import type { TableContext } from "./timeline/table-context.ts";
import { createTable, loadTableConfig } from "./timeline/table-properties.ts";
import { type EvolveOptions, evolveTable } from "./write/evolve-table.ts";
import { switchMetadataTableOff } from "./write/metadata-table-drop.ts";
import { resolveWriteSettings } from "./write/resolve-write-settings.ts";
import { rollbackInstant } from "./write/rollback.ts";
import type { Source } from "./write/row-source.ts";
import {
  applyChanges,
  deletePartitions,
  deleteRows,
  type PartitionList,
  type RowWriteOptions,
  requireWritable,
  type UpsertOptions,
  upsertPartial,
  type WriteOptions,
  writeRows,
} from "./write/table-writer.ts";
import type { Commit, WriteEnvironment } from "./write/write-operation.ts";
import type { WriteSettings } from "./write/write-settings.ts";

/** An open Hudi table. */
export class HudiTable<Row extends object = Record<string, unknown>> implements AsyncDisposable {
  readonly #context: TableContext;
  readonly #runner: TaskRunner;
  readonly #environment: WriteEnvironment;
  readonly #ownsStorage: boolean;
  #isClosed = false;

  private constructor(
    context: TableContext,
    settings: WriteSettings,
    options: TableOptions,
    ownsStorage: boolean,
  ) {
    this.#context = context;
    this.#ownsStorage = ownsStorage;
    const cached = withReadCache(context.storage);
    this.#runner = createTaskRunner(cached, options.workers);
    this.#environment = {
      context: { ...context, storage: cached },
      runner: this.#runner,
      settings,
      requireOpen: () => this.#requireOpen(),
    };
  }

  #requireOpen(): void {
    if (!this.#isClosed) return;
    const found = "it was closed, expected an open one; open it again";
    throw new HudiError("INVALID", `cannot use table ${this.location}: ${found}`);
  }

  /**
   * Creates an empty table of version 6, of a field list or of an Avro or Arrow schema.
   * Throws `ALREADY_EXISTS` where there is one, `INVALID` for a definition that makes no table and
   * `UNSUPPORTED` for a type that no table of this version holds.
   */
  static create<const F extends Fields>(
    location: string | URL,
    definition: TableDefinition<F>,
    options?: TableOptions,
  ): Promise<HudiTable<RowOf<F>>>;
  static create<Row extends object = Record<string, unknown>>(
    location: string | URL,
    definition: SchemaTableDefinition<NoInfer<Row>>,
    options?: TableOptions,
  ): Promise<HudiTable<Row>>;
  static async create<Row extends object>(
    location: string | URL,
    definition: TableDefinition | SchemaTableDefinition,
    options: TableOptions = {},
  ): Promise<HudiTable<Row>> {
    const properties = defineTable(definition);
    return HudiTable.#openOn<Row>(location, options, (storage, runtime) =>
      createTable(storage, properties, runtime, options.signal),
    );
  }

  /** Opens a table of version 6, 8 or 9. Throws `NOT_FOUND` when the location is none. */
  static open<Row extends object = Record<string, unknown>>(
    location: string | URL,
    options: TableOptions = {},
  ): Promise<HudiTable<Row>> {
    return HudiTable.#openOn<Row>(location, options, async () => {});
  }

  static async #openOn<Row extends object>(
    location: string | URL,
    options: TableOptions,
    prepare: (storage: Storage, runtime: Runtime) => Promise<void>,
  ): Promise<HudiTable<Row>> {
    const settings = resolveWriteSettings(options.write);
    const runtime = options.runtime ?? systemRuntime;
    const given = findGivenStorage(options);
    const storage = given ?? openStorage(location, { ...options.storage, runtime });
    try {
      await prepare(storage, runtime);
      const stored = await loadTableConfig(storage, options.signal);
      const context = { storage, config: stored, runtime };
      // Other versions are only read, so that nothing of theirs gets stale.
      const opened =
        options.metadataTable === "drop" && stored.version === 6
          ? await switchMetadataTableOff(context, settings, options.signal)
          : context;
      const config = addKeyProperties(opened.config, options.properties ?? {});
      return new HudiTable<Row>({ ...opened, config }, settings, options, given === undefined);
    } catch (error) {
      if (!given) await bestEffort(() => storage.close());
      throw error;
    }
  }

  /** What `hoodie.properties` says of the table. */
  get config(): TableConfig {
    return this.#context.config;
  }

  /** Where the table is. */
  get location(): string {
    return this.#context.storage.location;
  }

  /** Adds rows without looking their keys up; small files are filled first. */
  insert(rows: Source<Row>, options: RowWriteOptions = {}): Promise<Commit> {
    return writeRows(this.#environment, "INSERT", rows, options);
  }

  /** Adds rows to new file groups without looking anything up: the fastest way in. */
  bulkInsert(rows: Source<Row>, options: RowWriteOptions = {}): Promise<Commit> {
    return writeRows(this.#environment, "BULK_INSERT", rows, options);
  }

  /**
   * Replaces rows by key and adds new ones; an older version never replaces a newer one. A row whose
   * column `_hoodie_is_deleted` is true deletes its key. Partial rows keep the stored values of
   * columns that they leave out; throws `INVALID` where a new key leaves one out that needs a value.
   */
  upsert(
    rows: Source<Partial<Row>>,
    options: UpsertOptions & { readonly partial: true },
  ): Promise<Commit>;
  upsert(rows: Source<Row>, options?: UpsertOptions): Promise<Commit>;
  upsert(rows: Source<unknown>, options: UpsertOptions = {}): Promise<Commit> {
    if (options.partial) return upsertPartial(this.#environment, rows, options);
    return writeRows(this.#environment, "UPSERT", rows, options);
  }

  /**
   * Replaces the partitions that the rows belong to by these rows alone; no key is looked up. A table
   * without partitions is replaced as a whole, unless there are no rows.
   */
  insertOverwrite(rows: Source<Row>, options: RowWriteOptions = {}): Promise<Commit> {
    return writeRows(this.#environment, "INSERT_OVERWRITE", rows, options);
  }

  /** Replaces all rows of the table by these; no rows leave an empty table. */
  insertOverwriteTable(rows: Source<Row>, options: RowWriteOptions = {}): Promise<Commit> {
    return writeRows(this.#environment, "INSERT_OVERWRITE_TABLE", rows, options);
  }

  /**
   * Removes all rows of partitions, named by the path of their folder or by the values of the
   * partition columns; a point in time names the folder that it lies in. Throws `INVALID` for what
   * names none, and for a table without partitions.
   */
  deletePartitions(
    partitions: Iterable<string | Partial<Row>>,
    options: WriteOptions = {},
  ): Promise<Commit> {
    return deletePartitions(this.#environment, partitions as PartitionList, options);
  }

  /**
   * Changes the columns in one commit, which rewrites no file unless it is told to. Throws `INVALID`
   * for a change that would lose data, and `UNSUPPORTED` naming an engine that would read old files
   * wrongly. Rows of the type `Row` stay what they were: open the table anew for its new columns.
   */
  evolve(changes: readonly SchemaChange[], options: EvolveOptions = {}): Promise<Commit> {
    return evolveTable(this.#environment, changes, options);
  }

  /** Removes rows by key; a key that is not there is no error. */
  delete(keys: Source<Partial<Row>>, options: WriteOptions = {}): Promise<Commit> {
    return deleteRows(this.#environment, keys, options);
  }

  /** Applies inserts, updates and deletes in order, in one commit. */
  apply(changes: Source<Change<Row>>, options: RowWriteOptions = {}): Promise<Commit> {
    const untyped = changes as unknown as Source<Change<Record<string, unknown>>>;
    return applyChanges(this.#environment, untyped, options);
  }

  /** The rows as of now, or as of an instant or time. Nothing is read before it is iterated. */
  read<C extends keyof Row = keyof Row>(
    options: ReadOptions<Row, C> & SnapshotRead = {},
  ): Scan<Pick<Row, C>> {
    const query = this.#query(options);
    const { asOf, readOptimized } = options;
    const plan = async (): ReturnType<typeof planSnapshot> =>
      planSnapshot(this.#context, {
        ...query(),
        readOptimized,
        asOf: asOf === undefined ? undefined : parseAsOf(asOf, this.config.timelineZone),
      });
    return new PlannedScan(this.#context.storage, plan, options.signal);
  }

  /** The rows that commits of the range wrote, in their newest version up to `upTo`. */
  incremental<C extends keyof Row = keyof Row>(
    range: InstantRange & ReadOptions<Row, C>,
  ): Scan<Pick<Row, C>> {
    const query = this.#query(range);
    const { after, upTo } = range;
    const plan = async (): ReturnType<typeof planIncremental> =>
      planIncremental(this.#context, { ...query(), after, upTo });
    return new PlannedScan(this.#context.storage, plan, range.signal);
  }

  /** Every change of every commit of the range, in order, with the row before and after it. */
  changes(range: InstantRange = {}): Scan<Change<Row>> {
    return new ChangeScan(this.#context, range, () => this.#requireOpen());
  }

  #query<C extends keyof Row>(
    options: ReadOptions<Row, C>,
  ): () => {
    columns: readonly string[] | undefined;
    predicate: Predicate | undefined;
    signal: AbortSignal | undefined;
  } {
    const { columns, where, signal } = options;
    return () => {
      this.#requireOpen();
      return {
        columns: columns as readonly string[] | undefined,
        predicate: isPredicate(where)
          ? where
          : parseWhere((where ?? {}) as Record<string, unknown>),
        signal,
      };
    };
  }

  /** The columns of the table as its newest commit has them. */
  async schema(options: Abortable = {}): Promise<TableSchema> {
    const timeline = await loadActiveTimeline(this.#context, options.signal);
    return loadTableSchema(this.#context, timeline, undefined, options.signal);
  }

  /** The instants of the active timeline, oldest first, each in its furthest state. */
  async timeline(options: Abortable = {}): Promise<readonly Instant[]> {
    const timeline: ActiveTimeline = await loadActiveTimeline(this.#context, options.signal);
    return timeline.instants;
  }

  /** What a completed write of the timeline did, by partition and file group. */
  commitMetadata(instant: Instant, options: Abortable = {}): Promise<CommitMetadata> {
    return loadCommitMetadata(this.#context, instant, options.signal);
  }

  /**
   * What the newest completed write keeps under a key of `WriteOptions.checkpoint`; undefined when
   * none of the active timeline has it.
   */
  async checkpoint(
    key: string,
    options: Abortable = {},
  ): Promise<{ readonly instant: string; readonly value: string } | undefined> {
    const timeline = await loadActiveTimeline(this.#context, options.signal);
    for (const instant of timeline.completedWrites().reverse()) {
      const metadata = await loadCommitMetadata(this.#context, instant, options.signal);
      const value = metadata.extraMetadata.get(key);
      if (value !== undefined) return { instant: instant.time, value };
    }
    return undefined;
  }

  /** The latest file slice of each file group. */
  async files(options: Abortable = {}): Promise<readonly FileSlice[]> {
    const timeline = await loadActiveTimeline(this.#context, options.signal);
    const view = await loadFileSystemView(this.#context, timeline, options);
    return view.slices;
  }

  /**
   * Rows, bytes and sizes of the base files against the targets of `TableOptions.write`, in total and
   * by partition. Rows are counted by footers, one request a file group; no data is read.
   */
  stats(options: StatsOptions = {}): Promise<TableStats> {
    return loadTableStats(this.#context, this.#environment.settings, options);
  }

  /**
   * Undoes a pending write, or the newest completed commit. Refused, as writing is, where this
   * library cannot keep the table whole.
   */
  async rollback(instant: string, options: Abortable = {}): Promise<void> {
    requireWritable(this.#environment);
    const { settings, context } = this.#environment;
    return rollbackInstant(context, instant, settings, options.signal);
  }

  /**
   * Puts small files of a partition together, sorted where columns are named; no row changes. Throws
   * `CONFLICT` when another process came between.
   */
  cluster(options: ClusterOptions = {}): Promise<Clustering> {
    return clusterTable(this.#environment, options);
  }

  /** Checks the table against the rules of `spec/`, by default every row of it; changes nothing. */
  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return verifyTable(this.#context, options);
  }

  /**
   * Deletes the file slices that no state of the retained range needs, and finishes cleans that died.
   * Keeps ten commits unless told otherwise. Older states are `EXPIRED` to readers.
   */
  async clean(options: CleanOptions = {}): Promise<CleanReport> {
    requireWritable(this.#environment);
    return cleanTable(this.#environment.context, this.#environment.settings.lease, options);
  }

  /** Moves the oldest instants to the archived timeline, once there are more than `maxCommits` (30). */
  async archive(options: ArchiveOptions = {}): Promise<ArchiveReport> {
    requireWritable(this.#environment);
    return archiveTimeline(this.#environment.context, this.#environment.settings.lease, options);
  }

  /** Ends worker threads and connections; a storage that was passed in stays open. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#runner.close();
    if (this.#ownsStorage) await this.#context.storage.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function findGivenStorage({ storage }: TableOptions): Storage | undefined {
  return storage && "createIfAbsent" in storage ? storage : undefined;
}
