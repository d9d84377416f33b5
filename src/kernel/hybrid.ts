// Runs and bit-packed groups. Rules: spec/format/parquet.md, PQ-12.

/** The bytes end before all numbers are read. */
const ENDS_EARLY: i64 = -1;
/** A run has no values. */
const EMPTY_RUN: i64 = -2;

/**
 * Reads numbers `skip` to `skip + count` of the encoding at `from` to `end`, of `width` bits each, 0 to
 * 32, to `to`. Returns the greatest of them, or a negative number for a damaged encoding.
 */
export function unpackHybrid(
  from: usize,
  end: usize,
  width: u32,
  skip: u32,
  count: u32,
  to: usize,
): i64 {
  const valueBytes = <usize>((width + 7) >> 3);
  const mask: u64 = ((<u64>1) << (<u64>width)) - 1;
  const target = to + ((<usize>count) << 2);
  let most: u32 = 0;
  let unwanted: u64 = skip;
  while (to < target) {
    let header: u64 = 0;
    let shift: u64 = 0;
    for (;;) {
      if (from >= end || shift > 35) return ENDS_EARLY;
      const byte = load<u8>(from);
      from += 1;
      header |= (<u64>(byte & 0x7f)) << shift;
      if (byte < 0x80) break;
      shift += 7;
    }
    if (header < 2) return EMPTY_RUN;
    if ((header & 1) === 0) {
      if (end - from < valueBytes) return ENDS_EARLY;
      // The bytes behind the value are others or slack.
      const bits: u32 = valueBytes === 4 ? 0xffffffff : ((<u32>1) << ((<u32>valueBytes) << 3)) - 1;
      const value = load<u32>(from) & bits;
      from += valueBytes;
      const run = header >> 1;
      const passed = min(run, unwanted);
      unwanted -= passed;
      const wanted = <usize>min(run - passed, <u64>((target - to) >> 2));
      if (wanted > 0) most = max(most, value);
      fill(to, value, wanted);
      to += wanted << 2;
      continue;
    }
    const groups = header >> 1;
    const available = <u64>(end - from);
    let values = groups << 3;
    // The last group may be cut short after the values that count.
    if (width > 0) {
      values = min(values, (min(groups * width, available) << 3) / width);
      if (values === 0) return ENDS_EARLY;
    }
    const size = <usize>min(groups * width, available);
    const passed = min(values, unwanted);
    unwanted -= passed;
    const wanted = <usize>min(values - passed, <u64>((target - to) >> 2));
    if (width === 0) {
      fill(to, 0, wanted);
    } else {
      most = max(most, unpack(from, passed * width, width, mask, to, wanted));
    }
    to += wanted << 2;
    from += size;
  }
  return <i64>most;
}

/** Writes `count` times the same number; up to 12 bytes behind are touched. */
function fill(to: usize, value: u32, count: usize): void {
  const numbers = i32x4.splat(value);
  const end = to + (count << 2);
  while (to < end) {
    v128.store(to, numbers);
    to += 16;
  }
}

/** Reads packed numbers from bit `bit` on; up to 8 bytes behind the last are read as slack. */
function unpack(from: usize, bit: u64, width: u32, mask: u64, to: usize, count: usize): u32 {
  let most: u32 = 0;
  const end = to + (count << 2);
  while (to < end) {
    const word = load<u64>(from + <usize>(bit >> 3));
    const value = <u32>((word >> (bit & 7)) & mask);
    store<u32>(to, value);
    most = max(most, value);
    bit += width;
    to += 4;
  }
  return most;
}
