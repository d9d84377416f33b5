// Gathering rows of a column as a file stores it and of one that comes in, in the form of the file.
import type { BytesColumn, Column, Validity } from "./column-batch.ts";
import { gatherColumn, gatherValidity, type Picks } from "./column-gather.ts";
import { createEntries } from "./parquet-dictionary.ts";
import type { DictionaryColumn, PrefixedColumn, StoredColumn } from "./stored-column.ts";
import { withPrefixes } from "./stored-column.ts";

/** A column that rows are taken from again and again, in the form that is asked for. */
export class IncomingColumn {
  readonly column: Column;
  #prefixed: PrefixedColumn | undefined;

  constructor(column: Column) {
    this.column = column;
  }

  /** The texts with their lengths before them, made once. */
  prefixed(): PrefixedColumn {
    this.#prefixed ??= withPrefixes(this.column as BytesColumn);
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
      return gatherColumn(stored, incoming.column, picks);
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
  incoming: Column,
  picks: Picks,
): DictionaryColumn {
  const rowCount = picks.length;
  const validity: Validity = gatherValidity(stored, incoming, picks);
  const entries = createEntries(incoming);
  const mapped = new Int32Array(Math.max(1, stored.entries.rowCount));
  entries.open(stored.entries);
  for (let entry = 0; entry < stored.entries.rowCount; entry += 1)
    mapped[entry] = entries.add(entry);
  entries.open(incoming);
  const indexes = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    const pick = picks[row] as number;
    if (pick >= 0) indexes[row] = mapped[stored.indexes[pick] as number] as number;
    else if (!validity || ((validity[row >> 3] as number) & (1 << (row & 7))) !== 0) {
      indexes[row] = entries.add(~pick);
    }
  }
  return { layout: "dictionary", rowCount, validity, indexes, entries: entries.finish() };
}
