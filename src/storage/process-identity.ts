// Which process on which machine: what a claim says about its holder, and whether the holder lives.
// On Linux a process is told from a later one with the same number by its start time and the boot.
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** A process, as another process of the same machine can recognise it. */
export interface ProcessIdentity {
  /** Name of the machine, with its machine id where there is one. */
  readonly host: string;
  /** Identifies this run of the machine; empty where the system does not tell. */
  readonly boot: string;
  /** The namespace that process numbers belong to; empty where there are none. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Start of the process in ticks since the boot; empty where the system does not tell. */
  readonly start: string;
}

/** Whether a process runs; `unknown` where it cannot be judged from here. */
export type ProcessState = "alive" | "dead" | "unknown";

let own: Promise<ProcessIdentity> | undefined;

/** The identity of this process. */
export function loadProcessIdentity(): Promise<ProcessIdentity> {
  own ??= (async () => ({
    host: `${hostname()}/${(await readText("/etc/machine-id")).trim()}`,
    boot: (await readText("/proc/sys/kernel/random/boot_id")).trim(),
    pidNamespace: await readlink("/proc/self/ns/pid").catch(() => ""),
    pid: process.pid,
    start: parseProcessStat(await readText("/proc/self/stat"))?.start ?? "",
  }))();
  return own;
}

/**
 * Judges another process. Only one of this machine can be found dead: either it belongs to an
 * earlier boot, or its number is free, is a zombie's, or belongs to a process that began later.
 */
export async function findProcessState(other: ProcessIdentity): Promise<ProcessState> {
  const self = await loadProcessIdentity();
  if (other.boot !== self.boot) return other.host === self.host ? "dead" : "unknown";
  if (other.pidNamespace !== self.pidNamespace) return "unknown";
  if (self.boot === "" && other.host !== self.host) return "unknown";
  if (!isProcessNumberTaken(other.pid)) return "dead";
  const stat = parseProcessStat(await readText(`/proc/${other.pid}/stat`));
  if (!stat) return "alive";
  return stat.start !== other.start || stat.isZombie ? "dead" : "alive";
}

function isProcessNumberTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** State and start of `/proc/<pid>/stat`, whose second field may itself contain blanks. */
function parseProcessStat(
  text: string,
): { readonly isZombie: boolean; readonly start: string } | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const start = fields[19];
  return start ? { isZombie: fields[0] === "Z" || fields[0] === "X", start } : undefined;
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
