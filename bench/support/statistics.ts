// Medians, and ratios of interleaved rounds: each round of one series against the same round of the
// other, so that a busy moment of the machine touches both.

/** The middle of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A ratio over rounds: its median and how far it went. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  readonly rounds: number;
}

/** Ratio of two series by round; undefined when they share no round. */
export function ratioByRound(
  above: ReadonlyMap<number, number>,
  below: ReadonlyMap<number, number>,
): Ratio | undefined {
  const ratios = [...above].flatMap(([round, value]) => {
    const other = below.get(round);
    return other === undefined || other === 0 ? [] : [value / other];
  });
  if (ratios.length === 0) return undefined;
  return {
    median: median(ratios),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
    rounds: ratios.length,
  };
}
