// Decodes values of any length: how long each is, and their bytes end to end. Rules: spec/format/parquet.md, PQ-13.
import { releaseBuffer } from "../runtime/release-bytes.ts";
import { KernelWork } from "./kernel.ts";
import { ENCODING } from "./parquet-codes.ts";
import { type DecodedTexts, decodeDeltaLengths, decodeDeltaTexts } from "./parquet-delta.ts";
import { isDictionaryEncoding, type PageValues, readIndexes } from "./parquet-value-decoder.ts";
import { PREFIX_BYTES } from "./stored-column.ts";
import { ThriftError } from "./thrift-compact.ts";

/** Rows of a file hold more text than one batch can: nothing is wrong with the file. */
export class TooMuchTextError extends Error {
  override readonly name: string = "TooMuchTextError";
}

/** The bytes of texts end to end, while pages add to them. */
export class TextOutput {
  /** The next page is one of so many of about the same size. */
  pages = 1;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;
  #expected = 0;

  /** The next page brings about so many bytes. */
  expect(pageBytes: number): void {
    const more = Math.min(pageBytes * this.pages * MARGIN, pageBytes + MOST_EXPECTED_BYTES);
    this.#expected = this.#length + more;
  }

  /** Room for the next texts, which are to be written there. Throws `TooMuchTextError`. */
  append(sizeBytes: number): Uint8Array {
    const from = this.#length;
    const needed = from + sizeBytes;
    if (needed > MOST_BYTES) {
      throw new TooMuchTextError("the rows of a batch hold more than 2 GiB of text in one column");
    }
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length = needed;
    return this.#bytes.subarray(from, needed);
  }

  /** All texts, in a buffer of which little else is left over. */
  finish(): Uint8Array {
    const used = this.#bytes.subarray(0, this.#length);
    return this.#length < this.#bytes.length * LEAST_SHARE ? used.slice() : used;
  }

  #grow(needed: number): void {
    const wanted = Math.max(needed, this.#bytes.length * GROWTH, this.#expected);
    const larger = new Uint8Array(Math.min(MOST_BYTES, Math.ceil(wanted)));
    larger.set(this.#bytes.subarray(0, this.#length));
    releaseBuffer(this.#bytes.buffer);
    this.#bytes = larger;
  }
}

const MOST_BYTES = 0x7fffffff;
const GROWTH = 1.5;
const MARGIN = 1.03;
const MOST_EXPECTED_BYTES = 32 * 1024 * 1024;
const LEAST_SHARE = 0.8;

/** Decodes the values of a chunk of texts. */
export class TextValueDecoder {
  readonly #dictionary: DecodedTexts | undefined;

  /** The entries of the dictionary, if the chunk has one. */
  get dictionary(): DecodedTexts | undefined {
    return this.#dictionary;
  }

  constructor(dictionary: PageValues | undefined) {
    this.#dictionary = dictionary && collectPlain(dictionary);
  }

  /** Values `skip` to `skip + count` of a page: lengths to `lengths[at..]`, bytes behind `out`. */
  decode(
    page: PageValues,
    skip: number,
    count: number,
    lengths: Int32Array,
    at: number,
    out: TextOutput,
  ): void {
    if (page.encoding === ENCODING.plain) {
      readPlain(page, skip, count, lengths, at, out);
      return;
    }
    if (isDictionaryEncoding(page.encoding)) {
      const texts = this.#dictionary;
      if (!texts) throw new ThriftError("a page refers to a dictionary that is not there");
      pick(texts, readIndexes(page, skip, count, texts.offsets.length - 1), lengths, at, out);
      return;
    }
    const texts = decodeDelta(page, skip + count);
    if (texts.offsets.length - 1 < skip + count) {
      throw new ThriftError(`found ${texts.offsets.length - 1} texts for ${skip + count} values`);
    }
    const indexes = Int32Array.from({ length: count }, (_, index) => skip + index);
    pick(texts, indexes, lengths, at, out);
  }
}

/**
 * Plain values `skip` to `skip + count` of a page, left with their lengths before them: what each takes
 * goes to `sizes[at..]`.
 */
export function readPrefixed(
  { bytes, start }: PageValues,
  skip: number,
  count: number,
  sizes: Int32Array,
  at: number,
  out: TextOutput,
): void {
  const first = walkPlain(bytes, start, skip, undefined, 0);
  const end = first + sizePrefixed(bytes, first, count, sizes, at);
  out.expect(end - first);
  out.append(end - first).set(bytes.subarray(first, end));
}

/** What each text takes, to `sizes[at..]`; returns the bytes of all. */
function sizePrefixed(
  bytes: Uint8Array,
  start: number,
  count: number,
  sizes: Int32Array,
  at: number,
): number {
  const page = bytes.subarray(start);
  if (page.length > MOST_KERNEL_BYTES || count > page.length >> 2) {
    const end = walkPlain(bytes, start, count, sizes, at);
    for (let index = at; index < at + count; index += 1) {
      sizes[index] = (sizes[index] as number) + PREFIX_BYTES;
    }
    return end - start;
  }
  const work = new KernelWork(2, page.length + count * 4);
  const source = work.place(page);
  const target = work.reserve(count * 4);
  const size = work.run.sizeTexts(source, source + page.length, count, target);
  if (size < 0) throw new ThriftError("a text goes past the end of its page");
  sizes.set(work.viewNumbers(target, count), at);
  return size;
}

/** A larger page is not carried to the kernel. */
const MOST_KERNEL_BYTES = 8 * 1024 * 1024;

function decodeDelta(page: PageValues, wanted: number): DecodedTexts {
  const { bytes, start, encoding, count } = page;
  if (encoding === ENCODING.deltaLengthByteArray) return decodeDeltaLengths(bytes, start, count);
  if (encoding === ENCODING.deltaByteArray) return decodeDeltaTexts(bytes, start, count, wanted);
  throw new ThriftError(`its values have encoding ${encoding}`);
}

/** A dictionary page as texts. */
function collectPlain(page: PageValues): DecodedTexts {
  const lengths = new Int32Array(Math.min(page.count, page.bytes.length));
  if (lengths.length < page.count) throw new ThriftError("a dictionary ends too early");
  const out = new TextOutput();
  readPlain(page, 0, page.count, lengths, 0, out);
  const offsets = new Int32Array(page.count + 1);
  for (let index = 0; index < page.count; index += 1) {
    offsets[index + 1] = (offsets[index] as number) + (lengths[index] as number);
  }
  return { offsets, data: out.finish() };
}

/** Bytes that the kernel works on at a time. */
const WINDOW_BYTES = 1024 * 1024;

function readPlain(
  { bytes, start }: PageValues,
  skip: number,
  count: number,
  lengths: Int32Array,
  at: number,
  out: TextOutput,
): void {
  let from = walkPlain(bytes, start, skip, undefined, 0);
  out.expect(bytes.length - from);
  let done = 0;
  while (done < count) {
    const window = bytes.subarray(from, from + WINDOW_BYTES);
    const rest = Math.min(count - done, window.length >> 2);
    const work = new KernelWork(3, window.length * 2 + rest * 4);
    const source = work.place(window);
    const sizes = work.reserve(rest * 4);
    const to = work.reserve(window.length);
    const { texts, size } = unpair(
      work.run.splitTexts(source, source + window.length, rest, sizes, to),
    );
    lengths.set(work.viewNumbers(sizes, texts), at + done);
    const plain = size - texts * PREFIX_BYTES;
    out.append(plain).set(work.view(to, plain));
    from += size;
    done += texts;
    if (texts > 0) continue;
    // A text that is larger than the window, or damaged.
    const end = walkPlain(bytes, from, 1, lengths, at + done);
    out.append(end - from - PREFIX_BYTES).set(bytes.subarray(from + PREFIX_BYTES, end));
    from = end;
    done += 1;
  }
}

/** What the kernel returns of texts: their number, and bytes. */
function unpair(pair: bigint): { readonly texts: number; readonly size: number } {
  return { texts: Number(pair >> 32n), size: Number(pair & 0xffffffffn) };
}

/** Passes over `count` plain values from byte `start` on; returns where the next one begins. */
function walkPlain(
  bytes: Uint8Array,
  start: number,
  count: number,
  lengths: Int32Array | undefined,
  at: number,
): number {
  const end = bytes.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  let next = start;
  for (let index = 0; index < count; index += 1) {
    if (end - next < 4) throw new ThriftError("its texts end too early");
    const length = view.getInt32(next, true);
    if (length < 0 || length > end - next - 4)
      throw new ThriftError("a text goes past the end of its page");
    if (lengths) lengths[at + index] = length;
    next += 4 + length;
  }
  return next;
}

/** Appends entries in the order of indexes. */
function pick(
  { offsets, data }: DecodedTexts,
  indexes: Int32Array,
  lengths: Int32Array,
  at: number,
  out: TextOutput,
): void {
  let total = 0;
  for (let index = 0; index < indexes.length; index += 1) {
    const entry = indexes[index] as number;
    const length = (offsets[entry + 1] as number) - (offsets[entry] as number);
    lengths[at + index] = length;
    total += length;
  }
  out.expect(total);
  const target = out.append(total);
  const room = Math.min(total, WINDOW_BYTES);
  const work = new KernelWork(4, indexes.byteLength + offsets.byteLength + data.length + room);
  const numbers = work.placeNumbers(indexes);
  const places = work.placeNumbers(offsets);
  const source = work.place(data);
  const window = work.reserve(room);
  let filled = 0;
  let next = 0;
  while (next < indexes.length) {
    const rest = indexes.length - next;
    const { texts, size } = unpair(
      work.run.pickTexts(numbers + next * 4, rest, places, source, window, room),
    );
    if (texts > 0) {
      target.set(work.view(window, size), filled);
      filled += size;
      next += texts;
      continue;
    }
    // An entry that is larger than the window.
    const entry = indexes[next] as number;
    const text = data.subarray(offsets[entry], offsets[entry + 1]);
    target.set(text, filled);
    filled += text.length;
    next += 1;
  }
}
