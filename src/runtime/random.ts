// Randomness behind one interface, so that a seed replays a run.
import { randomBytes } from "node:crypto";

/** A source of random bytes. */
export interface Random {
  bytes(count: number): Uint8Array;
}

/** The random source of the system. */
export const systemRandom: Random = { bytes: (count) => randomBytes(count) };

/** A repeatable source (mulberry-style mixing of a 32-bit counter); not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) & 0xff;
  };
  return { bytes: (count) => Uint8Array.from({ length: count }, next) };
}

/** A random (version 4) UUID. */
export function createUuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A number in [0, 1). */
export function createFraction(random: Random): number {
  const bytes = random.bytes(4);
  return (
    ((((bytes[0] as number) << 24) |
      ((bytes[1] as number) << 16) |
      ((bytes[2] as number) << 8) |
      (bytes[3] as number)) >>>
      0) /
    0x1_0000_0000
  );
}
