// One measured piece of work inside the process that does it: wall time, CPU time of all its
// threads, and the peak of its memory.
import { readTreePeakBytes, resetTreePeak } from "./process-usage.ts";

/** What one piece of work cost. */
export interface Sample {
  readonly wallMs: number;
  /** User and system time of the whole process tree. */
  readonly cpuMs: number;
  /** The most memory that was resident while the work ran. */
  readonly peakBytes: number;
  /** What was resident before it: the runtime, and the input where it is held in memory. */
  readonly baselineBytes: number;
}

/** Runs the work once and measures it. Garbage of earlier work is collected first. */
export async function measure<T>(
  work: () => Promise<T>,
): Promise<{ readonly sample: Sample; readonly result: T }> {
  (globalThis as { gc?: () => void }).gc?.();
  const baselineBytes = resetTreePeak(process.pid);
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const result = await work();
  const wallMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  const peakBytes = readTreePeakBytes(process.pid);
  return { result, sample: { wallMs, cpuMs: (user + system) / 1000, peakBytes, baselineBytes } };
}
