// Gathering rows of a column as a file stores it and of one that comes in, in the form of the file.
import { isNull } from "./bitmap.ts";
import type { BytesColumn, Column } from "./column-batch.ts";
import { gatherColumn, gatherValidity, type Picks, takeNumbers } from "./column-gather.ts";
import { createEntries } from "./dictionary-entries.ts";
import { numberEntries } from "./parquet-dictionary.ts";
import { withPrefixes } from "./parquet-plain-writer.ts";
import {
  type DictionaryColumn,
  type PrefixedColumn,
  type StoredColumn,
  toColumn,
} from "./stored-column.ts";

/** A column that rows are taken from again and again, in the form that is asked for. */
export class IncomingColumn {
  readonly column: StoredColumn;
  #plain: Column | undefined;
  #prefixed: PrefixedColumn | undefined;

  constructor(column: StoredColumn) {
    this.column = column;
  }

  /** The values in the form of batches, made once. */
  plain(): Column {
    this.#plain ??= toColumn(this.column);
    return this.#plain;
  }

  /** The texts with their lengths before them, made once. */
  prefixed(): PrefixedColumn {
    this.#prefixed ??= withPrefixes(this.plain() as BytesColumn);
    return this.#prefixed;
  }
}

/** The picked rows: `p >= 0` is row `p` of the stored column, `~p` one of the other. */
export function gatherStored(
  stored: StoredColumn,
  incoming: IncomingColumn,
  picks: Picks,
): StoredColumn {
  switch (stored.layout) {
    case "prefixed":
      return gatherPrefixed(stored, incoming.prefixed(), picks);
    case "dictionary":
      return gatherDictionary(stored, incoming.column, picks);
    default:
      return gatherColumn(stored, incoming.plain(), picks);
  }
}

/** A text and its length move together, so that neighbours are copied in one piece. */
function gatherPrefixed(
  stored: PrefixedColumn,
  incoming: PrefixedColumn,
  picks: Picks,
): PrefixedColumn {
  const asBytes = (column: PrefixedColumn): BytesColumn => ({ ...column, layout: "bytes" });
  const gathered = gatherColumn(asBytes(stored), asBytes(incoming), picks) as BytesColumn;
  return { ...gathered, layout: "prefixed" };
}

function gatherDictionary(
  stored: DictionaryColumn,
  incoming: StoredColumn,
  picks: Picks,
): DictionaryColumn {
  const rowCount = picks.length;
  const validity = gatherValidity(stored, incoming, picks);
  const entries = createEntries(stored);
  const ofStored = numberEntries(entries, stored.entries);
  const other = incoming.layout === "dictionary" ? incoming : undefined;
  const ofOther = other && numberEntries(entries, other.entries);
  if (!other) entries.open(incoming);
  const indexes = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    const pick = picks[row] as number;
    if (pick >= 0) indexes[row] = ofStored[stored.indexes[pick] as number] as number;
    else if (isNull(validity, row)) continue;
    else if (!(other && ofOther)) indexes[row] = entries.add(~pick);
    else indexes[row] = ofOther[other.indexes[~pick] as number] as number;
  }
  return { layout: "dictionary", rowCount, validity, indexes, entries: entries.finish() };
}

/** Some rows of a column, in the form that it has. */
export function takeRows(column: StoredColumn, rows: Int32Array): StoredColumn {
  if (column.layout === "prefixed") return gatherPrefixed(column, column, rows);
  if (column.layout !== "dictionary") return gatherColumn(column, undefined, rows);
  const validity = gatherValidity(column, undefined, rows);
  return { ...column, rowCount: rows.length, validity, indexes: takeNumbers(column.indexes, rows) };
}
