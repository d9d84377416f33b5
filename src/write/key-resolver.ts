// Applies the rows of one key, one after the other, to the stored rows of that key.
// Rules: spec/format/merge-rules.md MR-11 to MR-14, spec/format/indexing.md IX-6 and IX-7.

/** A row of the stored rows (`n >= 0`) or of the incoming ones (`~n`). */
export type RowPick = number;

/** A row in the making. */
export interface RowVersion {
  /** The stored row whose place in its file it takes, or -1 for a new one. */
  readonly origin: number;
  /** The stored row that gives the columns which `rows` leave out, or -1. */
  readonly base: number;
  /** Incoming rows, of which a later one counts more. */
  readonly rows: readonly number[];
  /** Which row the partition columns are taken from, where that is another. */
  readonly place: RowPick | undefined;
  readonly partition: number;
  /** Which row the ordering value is taken from; undefined where no row has given one. */
  readonly ordering: RowPick | undefined;
}

/** What becomes of one key. Stored rows that are not named stay as they are. */
export interface KeyFate {
  readonly stored: readonly {
    readonly origin: number;
    /** Undefined where the row is removed. */
    readonly version: RowVersion | undefined;
  }[];
  readonly added: readonly RowVersion[];
}

/** The ordering values of stored and incoming rows. */
export interface RowOrder {
  /** Whether an incoming row has an ordering value of its own. */
  isOrdered(row: number): boolean;
  /** Whether a version is newer than an incoming row that is ordered. */
  isNewer(version: RowPick, row: number): boolean;
}

/** What resolving rests on; rows are numbers of incoming rows. */
export interface KeyResolverOptions {
  readonly deletes: Uint8Array | undefined;
  /** Whether a delete beats older rows that come behind it. */
  readonly keepsGraves: boolean;
  readonly order: RowOrder | undefined;
  /** Whether a row gives every column. */
  isWhole(row: number): boolean;
  partitionOfStored(stored: number): number;
  partitionOfRow(row: number): number;
  /** Whether a stored row is replaced where it is, whatever partition the incoming one names. */
  staysInPlace(row: number): boolean;
  /** Whether partition columns keep the values of the place where the row is. */
  readonly keepsPlace: boolean;
}

/** Resolves keys one by one. */
export class KeyResolver {
  readonly #options: KeyResolverOptions;

  constructor(options: KeyResolverOptions) {
    this.#options = options;
  }

  /** What becomes of a key that is stored in these rows when these rows come in. */
  resolve(rows: Int32Array, stored: Int32Array): KeyFate {
    const { deletes, keepsGraves, order, partitionOfStored, keepsPlace } = this.#options;
    const before = Array.from(stored, (row): RowVersion => {
      const place = keepsPlace ? row : undefined;
      const partition = partitionOfStored(row);
      return { origin: row, base: row, rows: [], place, partition, ordering: row };
    });
    let versions: readonly RowVersion[] = before;
    let grave: number | undefined;
    for (const row of rows) {
      const isOrdered = order?.isOrdered(row) === true;
      if (grave !== undefined && isOrdered && order?.isNewer(~grave, row)) continue;
      if (deletes?.[row] === 1) {
        versions = versions.filter((version) => this.#isNewer(version, row));
        if (keepsGraves && isOrdered) grave = row;
      } else versions = this.#put(versions, row);
    }
    return compareVersions(before, versions);
  }

  #isNewer(version: RowVersion, row: number): boolean {
    const { order } = this.#options;
    const { ordering } = version;
    return order?.isOrdered(row) === true && ordering !== undefined && order.isNewer(ordering, row);
  }

  #put(versions: readonly RowVersion[], row: number): readonly RowVersion[] {
    const { staysInPlace, partitionOfRow } = this.#options;
    const left: RowVersion[] = [];
    let moved: RowVersion | undefined;
    for (const version of versions) {
      const isHome = staysInPlace(row) || version.partition === partitionOfRow(row);
      if (this.#isNewer(version, row)) left.push(version);
      else if (isHome) left.push(this.#replace(version, row));
      else moved ??= version;
    }
    if (left.length > 0) return left;
    const partition = partitionOfRow(row);
    const added = { ...NOTHING, partition, place: this.#options.keepsPlace ? ~row : undefined };
    return [this.#replace(moved ? { ...moved, origin: -1, partition } : added, row)];
  }

  #replace(version: RowVersion, row: number): RowVersion {
    const { order, isWhole } = this.#options;
    const ordering = order?.isOrdered(row) === false ? version.ordering : ~row;
    return isWhole(row)
      ? { ...version, base: -1, rows: [row], ordering }
      : { ...version, rows: [...version.rows, row], ordering };
  }
}

const NOTHING: Omit<RowVersion, "partition" | "place"> = {
  origin: -1,
  base: -1,
  rows: [],
  ordering: undefined,
};

/** A row that goes and comes back to its partition takes its own place again. */
function compareVersions(before: readonly RowVersion[], after: readonly RowVersion[]): KeyFate {
  const added = after.filter((version) => version.origin < 0);
  const stored: { origin: number; version: RowVersion | undefined }[] = [];
  for (const old of before) {
    const kept = after.find((version) => version.origin === old.origin);
    if (kept === old) continue;
    const back = kept ? -1 : added.findIndex((version) => version.partition === old.partition);
    const returned = back < 0 ? undefined : added.splice(back, 1)[0];
    stored.push({ origin: old.origin, version: kept ?? returned });
  }
  return { stored, added };
}
