// Dictionaries in the making, by open addressing over the bytes of values: both zeros and every NaN are
// kept apart. Rules: spec/format/parquet.md, PQ-10.
import { isAbsent } from "./bits";
import { copyShort } from "./copy";
import { hashText, isSame, mix } from "./hash";

// A dictionary is described by numbers of four bytes: what it holds, where, and when it is given up.
const COUNT: usize = 0;
const BYTES: usize = 4;
const SEEN: usize = 8;
const LAST: usize = 12;
const SLOTS: usize = 16;
const MASK: usize = 20;
const HASHES: usize = 24;
const STARTS: usize = 28;
const DATA: usize = 32;
const MOST_ENTRIES: usize = 36;
const MOST_BYTES: usize = 40;
const SAMPLE: usize = 44;

/** The dictionary does not pay. */
const GIVEN_UP: i32 = -1;

/** Whether it may still pay, with an entry more than before. */
function isPromising(dictionary: usize, count: u32, seen: u32): bool {
  if (count === 1) return true;
  const bytes = load<u32>(dictionary, BYTES);
  if (count > load<u32>(dictionary, MOST_ENTRIES) || bytes > load<u32>(dictionary, MOST_BYTES)) {
    return false;
  }
  return seen < load<u32>(dictionary, SAMPLE) || count << 1 <= seen;
}

/**
 * The entries of the texts that are present to `to`: their number, or a negative number when the
 * dictionary is given up. The entries have room for one more of these texts than they may hold.
 */
export function numberTexts(
  dictionary: usize,
  offsets: usize,
  rows: usize,
  data: usize,
  skip: usize,
  validity: usize,
  bit: usize,
  to: usize,
): i32 {
  const slots = <usize>load<u32>(dictionary, SLOTS);
  const mask = load<u32>(dictionary, MASK);
  const hashes = <usize>load<u32>(dictionary, HASHES);
  const starts = <usize>load<u32>(dictionary, STARTS);
  const entries = <usize>load<u32>(dictionary, DATA);
  let count = load<u32>(dictionary, COUNT);
  let last = load<u32>(dictionary, LAST);
  const seenBefore = load<u32>(dictionary, SEEN);
  const first = to;
  for (let row: usize = 0; row < rows; row += 1) {
    if (isAbsent(validity, bit + row)) continue;
    const at = data + load<u32>(offsets + (row << 2)) + skip;
    const length = data + load<u32>(offsets + (row << 2), 4) - at;
    // Values that repeat, as those of meta columns do, are told by their bytes alone.
    if (last < count) {
      const start = load<u32>(starts + (last << 2));
      const known = load<u32>(starts + (last << 2), 4) - start;
      if (known === <u32>length && isSame(entries + start, at, length)) {
        store<u32>(to, last);
        to += 4;
        continue;
      }
    }
    const hash = hashText(at, length);
    let slot = hash & mask;
    let entry: u32;
    for (;;) {
      entry = load<u32>(slots + ((<usize>slot) << 2)) - 1;
      if (entry === u32.MAX_VALUE) break;
      if (load<u32>(hashes + ((<usize>entry) << 2)) === hash) {
        const start = load<u32>(starts + ((<usize>entry) << 2));
        const known = load<u32>(starts + ((<usize>entry) << 2), 4) - start;
        if (known === <u32>length && isSame(entries + start, at, length)) break;
      }
      slot = (slot + 1) & mask;
    }
    if (entry === u32.MAX_VALUE) {
      entry = count;
      const start = load<u32>(starts + ((<usize>entry) << 2));
      copyShort(entries + start, at, length);
      store<u32>(starts + ((<usize>entry) << 2), start + <u32>length, 4);
      store<u32>(hashes + ((<usize>entry) << 2), hash);
      count += 1;
      store<u32>(slots + ((<usize>slot) << 2), count);
      store<u32>(dictionary, start + <u32>length + (count << 2), BYTES);
      const seen = seenBefore + <u32>((to - first) >> 2) + 1;
      if (!isPromising(dictionary, count, seen)) return GIVEN_UP;
    }
    last = entry;
    store<u32>(to, entry);
    to += 4;
  }
  const added = <u32>((to - first) >> 2);
  store<u32>(dictionary, count, COUNT);
  store<u32>(dictionary, last, LAST);
  store<u32>(dictionary, seenBefore + added, SEEN);
  return <i32>added;
}

function loadNumber(at: usize, width: usize): u64 {
  return width === 4 ? <u64>load<u32>(at) : load<u64>(at);
}

/** The same for numbers of four or eight bytes each. */
export function numberNumbers(
  dictionary: usize,
  values: usize,
  rows: usize,
  width: usize,
  validity: usize,
  bit: usize,
  to: usize,
): i32 {
  const slots = <usize>load<u32>(dictionary, SLOTS);
  const mask = load<u32>(dictionary, MASK);
  const entries = <usize>load<u32>(dictionary, DATA);
  let count = load<u32>(dictionary, COUNT);
  const seenBefore = load<u32>(dictionary, SEEN);
  const first = to;
  for (let row: usize = 0; row < rows; row += 1) {
    if (isAbsent(validity, bit + row)) continue;
    const value = loadNumber(values + row * width, width);
    const hash = mix(0, value);
    let slot = <u32>(hash ^ (hash >> 32)) & mask;
    let entry: u32;
    for (;;) {
      entry = load<u32>(slots + ((<usize>slot) << 2)) - 1;
      if (entry === u32.MAX_VALUE || loadNumber(entries + <usize>entry * width, width) === value) {
        break;
      }
      slot = (slot + 1) & mask;
    }
    if (entry === u32.MAX_VALUE) {
      entry = count;
      const at = entries + <usize>entry * width;
      if (width === 4) store<u32>(at, <u32>value);
      else store<u64>(at, value);
      count += 1;
      store<u32>(slots + ((<usize>slot) << 2), count);
      store<u32>(dictionary, count * <u32>width, BYTES);
      const seen = seenBefore + <u32>((to - first) >> 2) + 1;
      if (!isPromising(dictionary, count, seen)) return GIVEN_UP;
    }
    store<u32>(to, entry);
    to += 4;
  }
  const added = <u32>((to - first) >> 2);
  store<u32>(dictionary, count, COUNT);
  store<u32>(dictionary, seenBefore + added, SEEN);
  return <i32>added;
}

/** The place of the entry that is this text, or the greatest number where there is none. */
function lookUp(dictionary: usize, at: usize, length: usize): u32 {
  const slots = <usize>load<u32>(dictionary, SLOTS);
  const mask = load<u32>(dictionary, MASK);
  const hashes = <usize>load<u32>(dictionary, HASHES);
  const starts = <usize>load<u32>(dictionary, STARTS);
  const entries = <usize>load<u32>(dictionary, DATA);
  const hash = hashText(at, length);
  let slot = hash & mask;
  let entry: u32;
  for (;;) {
    entry = load<u32>(slots + ((<usize>slot) << 2)) - 1;
    if (entry === u32.MAX_VALUE) break;
    if (load<u32>(hashes + ((<usize>entry) << 2)) === hash) {
      const start = load<u32>(starts + ((<usize>entry) << 2));
      const known = load<u32>(starts + ((<usize>entry) << 2), 4) - start;
      if (known === <u32>length && isSame(entries + start, at, length)) break;
    }
    slot = (slot + 1) & mask;
  }
  return entry;
}

/**
 * Looks texts up, all of which are present: for each that is an entry its row and the entry to `to`.
 * Returns how many there are.
 */
export function findTexts(
  dictionary: usize,
  offsets: usize,
  rows: usize,
  data: usize,
  skip: usize,
  to: usize,
): i32 {
  const first = to;
  for (let row: usize = 0; row < rows; row += 1) {
    const at = data + load<u32>(offsets + (row << 2)) + skip;
    const length = data + load<u32>(offsets + (row << 2), 4) - at;
    const entry = lookUp(dictionary, at, length);
    if (entry === u32.MAX_VALUE) continue;
    store<u32>(to, <u32>row);
    store<u32>(to, entry, 4);
    to += 8;
  }
  return <i32>((to - first) >> 3);
}
