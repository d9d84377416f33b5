// The keys that a commit took out of file groups: some come back in another group, as a row that moved,
// the others are deleted. Rules: spec/protocol/changes.md, CH-6 and CH-7.
import { type BytesColumn, sliceTexts } from "../format/column-batch.ts";
import { gatherColumn } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import type { GroupChange } from "./change-plan.ts";

/** A group that lost rows. */
interface Departure {
  readonly group: GroupChange;
  readonly keys: BytesColumn;
  /** A set byte for each key that came back elsewhere. */
  readonly isBack: Uint8Array;
}

/** Keys and where they were; bytes and numbers only. */
export class DepartedRows {
  readonly #departures: Departure[] = [];
  readonly #table = new KeyTable();
  /** By key the last place that it left, and by place the one before it; -1 for none. */
  readonly #lastPlace: number[] = [];
  readonly #placeBefore: number[] = [];
  /** By place: the departure, and the number of the key in it. */
  readonly #departureOf: number[] = [];
  readonly #keyOf: number[] = [];

  /** Takes in the keys that left a group. */
  add(group: GroupChange, keys: BytesColumn): void {
    if (keys.rowCount === 0) return;
    const number = this.#departures.length;
    this.#departures.push({ group, keys, isBack: new Uint8Array(keys.rowCount) });
    const { data, offsets } = keys;
    for (let row = 0; row < keys.rowCount; row += 1) {
      const key = this.#table.add(0, data, offsets[row] as number, offsets[row + 1] as number);
      const place = this.#departureOf.length;
      this.#placeBefore.push(this.#lastPlace[key] ?? -1);
      this.#lastPlace[key] = place;
      this.#departureOf.push(number);
      this.#keyOf.push(row);
    }
  }

  /** The group that a key left which has come back now; one of the same partition if there is one. */
  takeBack(partitionPath: string, keys: BytesColumn, row: number): GroupChange | undefined {
    if (this.#departures.length === 0) return undefined;
    const { data, offsets } = keys;
    const key = this.#table.find(0, data, offsets[row] as number, offsets[row + 1] as number);
    let found = -1;
    for (
      let place = key < 0 ? -1 : (this.#lastPlace[key] as number);
      place >= 0;
      place = this.#placeBefore[place] as number
    ) {
      const departure = this.#departureAt(place);
      if (departure.isBack[this.#keyOf[place] as number] === 1) continue;
      found = place;
      if (departure.group.partitionPath === partitionPath) break;
    }
    if (found < 0) return undefined;
    const { group, isBack } = this.#departureAt(found);
    isBack[this.#keyOf[found] as number] = 1;
    return group;
  }

  /** The keys that did not come back, group by group, so many at a time. */
  *deleted(
    keysAtOnce: number,
  ): Generator<{ readonly group: GroupChange; readonly keys: BytesColumn }> {
    for (const { group, keys, isBack } of this.#departures) {
      const rows = Int32Array.from(isBack.keys()).filter((row) => isBack[row] === 0);
      const left = gatherColumn(keys, undefined, rows);
      for (let from = 0; from < left.rowCount; from += keysAtOnce) {
        const to = Math.min(left.rowCount, from + keysAtOnce);
        yield { group, keys: sliceTexts(left, from, to) };
      }
    }
  }

  #departureAt(place: number): Departure {
    return this.#departures[this.#departureOf[place] as number] as Departure;
  }
}
