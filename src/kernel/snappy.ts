// Packs bytes in the format of Snappy. Rules: spec/format/parquet.md, PQ-4.
import { copyShort } from "./copy";

/** Copies do not reach beyond a block, so that places in it take two bytes. */
const BLOCK: usize = 65_536;
/** A shorter block is not searched; and up to so near its end nothing is. */
const MARGIN: usize = 16;
const MOST_TABLE_BITS: u32 = 14;
/** After so many places without a match, places are left out. */
const PATIENCE: u32 = 5;

/**
 * Packs `length` bytes to `to`, which has room for a sixth more and 32 bytes. `table` is room for 32
 * KiB. Returns the number of bytes.
 */
export function packSnappy(from: usize, length: usize, to: usize, table: usize): usize {
  const start = to;
  let rest = length;
  while (rest >= 128) {
    store<u8>(to, <u8>(rest | 128));
    to += 1;
    rest >>= 7;
  }
  store<u8>(to, <u8>rest);
  to += 1;
  const end = from + length;
  while (from < end) {
    const blockEnd = min(from + BLOCK, end);
    to = packBlock(from, blockEnd, to, table);
    from = blockEnd;
  }
  return to - start;
}

function packBlock(block: usize, end: usize, to: usize, table: usize): usize {
  let pending = block;
  if (end - block > MARGIN) {
    let bits: u32 = 8;
    while (bits < MOST_TABLE_BITS && (<usize>1) << bits < end - block) bits += 1;
    memory.fill(table, 0, (<usize>2) << bits);
    const shift = 32 - bits;
    const limit = end - MARGIN;
    let at = block + 1;
    let tries: u32 = 1 << PATIENCE;
    while (at < limit) {
      const word = load<u32>(at);
      const slot = table + ((<usize>((word * 0x1e35a7bd) >> shift)) << 1);
      const candidate = block + load<u16>(slot);
      store<u16>(slot, <u16>(at - block));
      if (load<u32>(candidate) !== word) {
        at += tries >> PATIENCE;
        tries += 1;
        continue;
      }
      if (pending < at) to = writeLiteral(pending, at, to);
      const length = 4 + matchLength(candidate + 4, at + 4, end);
      to = writeCopy(<u32>(at - candidate), length, to);
      at += length;
      pending = at;
      tries = 1 << PATIENCE;
      if (at >= limit) break;
      const last = load<u32>(at - 1);
      store<u16>(table + ((<usize>((last * 0x1e35a7bd) >> shift)) << 1), <u16>(at - 1 - block));
    }
  }
  return pending < end ? writeLiteral(pending, end, to) : to;
}

/** How many bytes from `at` on are those from `candidate` on. */
function matchLength(candidate: usize, at: usize, end: usize): u32 {
  const start = at;
  while (at + 8 <= end) {
    const difference = load<u64>(candidate) ^ load<u64>(at);
    if (difference !== 0) return <u32>(at - start) + <u32>(ctz(difference) >> 3);
    candidate += 8;
    at += 8;
  }
  while (at < end && load<u8>(candidate) === load<u8>(at)) {
    candidate += 1;
    at += 1;
  }
  return <u32>(at - start);
}

/** A literal of 1 to 65,536 bytes. */
function writeLiteral(from: usize, end: usize, to: usize): usize {
  const length = end - from;
  const code = <u32>(length - 1);
  if (code < 60) {
    store<u8>(to, <u8>(code << 2));
    to += 1;
  } else if (code < 256) {
    store<u8>(to, 60 << 2);
    store<u8>(to, <u8>code, 1);
    to += 2;
  } else {
    store<u8>(to, 61 << 2);
    store<u16>(to, <u16>code, 1);
    to += 3;
  }
  copyShort(to, from, length);
  return to + length;
}

/** A copy of any length from `offset` bytes before, in pieces of at most 64 bytes, the last of 4 or more. */
function writeCopy(offset: u32, length: u32, to: usize): usize {
  while (length > 64) {
    const piece: u32 = length < 68 ? 60 : 64;
    to = writeLongCopy(offset, piece, to);
    length -= piece;
  }
  if (length >= 12 || offset >= 2048) return writeLongCopy(offset, length, to);
  store<u8>(to, <u8>(1 | ((length - 4) << 2) | ((offset >> 8) << 5)));
  store<u8>(to, <u8>offset, 1);
  return to + 2;
}

function writeLongCopy(offset: u32, length: u32, to: usize): usize {
  store<u8>(to, <u8>(2 | ((length - 1) << 2)));
  store<u16>(to, <u16>offset, 1);
  return to + 3;
}
