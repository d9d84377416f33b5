// CPU time and peak memory of processes of any kind, read from /proc: of a process, of everything
// below it, and the reset that makes a peak belong to one piece of work.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Linux counts CPU time of other processes in hundredths of a second. */
const MS_PER_TICK = 10;

/**
 * User and system time of a process and of all that descend from it, in ms; ended children of each
 * are included. The step of the counters is 10 ms.
 */
export function readTreeCpuMs(pid: number): number {
  return findTree(pid).reduce((sum, one) => sum + (readCpuMs(one) ?? 0), 0);
}

/** Sum of the peaks of a process and of all that descend from it, in bytes. */
export function readTreePeakBytes(pid: number): number {
  return findTree(pid).reduce((sum, one) => sum + readMemory(one, "VmHWM"), 0);
}

/** Makes the peaks of a process tree start anew from what it holds now; returns that, in bytes. */
export function resetTreePeak(pid: number): number {
  let held = 0;
  for (const one of findTree(pid)) {
    try {
      writeFileSync(`/proc/${one}/clear_refs`, "5");
    } catch {
      // The process ended in between, or the kernel keeps its counters to itself.
    }
    held += readMemory(one, "VmRSS");
  }
  return held;
}

function findTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = readStat(Number(name));
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree;
}

/** The fields of /proc/<pid>/stat from the state on; the command before it may hold any character. */
function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function readCpuMs(pid: number): number | undefined {
  const fields = readStat(pid);
  if (!fields) return undefined;
  // utime, stime, cutime and cstime.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * MS_PER_TICK, 0);
}

function readMemory(pid: number, field: "VmHWM" | "VmRSS"): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
