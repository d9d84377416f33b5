// The entries of a dictionary of Arrow, which may lie in several chunks.
import { isNull } from "./bitmap.ts";
import type { BytesColumn } from "./column-batch.ts";

/** Texts by their number. */
export class ArrowDictionaryEntries {
  readonly #places: { readonly chunk: BytesColumn; readonly row: number }[];

  constructor(chunks: readonly BytesColumn[]) {
    this.#places = chunks.flatMap((chunk) =>
      Array.from({ length: chunk.rowCount }, (_, row) => ({ chunk, row })),
    );
  }

  /** Bytes of an entry; null for an entry that is null, undefined for none. */
  lengthOf(key: number): number | null | undefined {
    const place = this.#places[key];
    if (!place) return undefined;
    const { chunk, row } = place;
    if (isNull(chunk.validity, row)) return null;
    return (chunk.offsets[row + 1] as number) - (chunk.offsets[row] as number);
  }

  copy(key: number, into: Uint8Array, at: number): void {
    const { chunk, row } = this.#places[key] as { chunk: BytesColumn; row: number };
    into.set(chunk.data.subarray(chunk.offsets[row], chunk.offsets[row + 1]), at);
  }
}
