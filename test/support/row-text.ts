// Rows as text, so that they can be compared, sorted and printed whatever types they hold.
export type AnyRow = Readonly<Record<string, unknown>>;

/** A value as text that tells apart what differs: types, null, NaN and the sign of zero included. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Date) return `date ${value.getTime()}`;
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner));
}

/** A row as text, its columns in alphabetical order. */
export function rowText(row: AnyRow): string {
  return Object.keys(row)
    .sort()
    .map((name) => `${name}=${valueText(row[name])}`)
    .join(" ");
}

/** Rows as sorted text: equal for equal sets of rows, duplicates counted. */
export function rowTexts(rows: Iterable<AnyRow>): string[] {
  return Array.from(rows, rowText).sort();
}

/** Where a row belongs: its key within its partition; a partition value of null or "" is one place. */
export function placeText(
  row: AnyRow,
  recordKey: string | readonly string[],
  partitionBy: string | readonly string[] | undefined,
): string {
  const partition = [partitionBy ?? []].flat().map((name) => valueText(row[name] ?? ""));
  const key = [recordKey].flat().map((name) => valueText(row[name]));
  return `${partition.join("/")} ${key.join()}`;
}
