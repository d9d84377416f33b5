// A change of a table, key by key: one shape for what goes in and for what comes out.

/** One change of one key: what `apply` takes and `changes` yields. */
export interface Change<Row> {
  readonly op: "insert" | "update" | "delete";
  /** The record key; the partition column and the ordering field may stand beside it. */
  readonly key: Partial<Row>;
  /** The row as it was, where the source knows it. */
  readonly before?: Partial<Row> | undefined;
  /** The row as it is, whole but for `unchanged` columns; for insert and update. */
  readonly after?: Row | undefined;
  /**
   * Columns whose stored value stays, whatever `after` says of them. A key that is not there gets
   * null in them, which is refused where the column allows none.
   */
  readonly unchanged?: readonly (keyof Row & string)[] | undefined;
  /** Set by `changes`. */
  readonly instant?: string | undefined;
}
