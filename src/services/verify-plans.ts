// Checks plans and metadata of services, and gathers the files that they delete, need or save.
// Rules: spec/protocol/verify.md VF-9, spec/format/action-plans.md AP-8.
import { dataPath, timelinePath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath } from "../timeline/active-timeline.ts";
import { decodeCleanMetadata, decodeCleanPlan } from "../timeline/clean-plan.ts";
import { parseCommitMetadata } from "../timeline/commit-metadata.ts";
import { decodeCompactionPlan } from "../timeline/compaction-plan.ts";
import { type Action, formatInstantFileName, type Instant } from "../timeline/instant.ts";
import { decodePlanFile } from "../timeline/plan-file.ts";
import { decodeRequestedReplace } from "../timeline/replace-plan.ts";
import { decodeRollbackMetadata } from "../timeline/rollback-metadata.ts";
import { decodeRollbackPlan } from "../timeline/rollback-plan.ts";
import { decodeSavepointMetadata } from "../timeline/savepoint-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { FindingList } from "./verify-findings.ts";

/** A data file that something on the timeline counts on. */
export interface NeededFile {
  readonly path: string;
  readonly by: Instant;
}

/** What plans say of data files. */
export interface PlannedFiles {
  /** Paths that a clean removed, or is about to. */
  readonly cleaned: ReadonlySet<string>;
  /** Files that pending compactions will read and savepoints keep. */
  readonly needed: readonly NeededFile[];
  /** File groups that pending clusterings will read. */
  readonly clustered: readonly {
    readonly partitionPath: string;
    readonly fileId: string;
    readonly by: Instant;
  }[];
  /** Instants that rollbacks undid. */
  readonly rolledBack: ReadonlySet<string>;
}

type Gathered = {
  readonly cleaned: Set<string>;
  readonly needed: NeededFile[];
  readonly clustered: { partitionPath: string; fileId: string; by: Instant }[];
  readonly rolledBack: Set<string>;
};

/** Takes what the content of a timeline file says. Throws `CORRUPT`. */
type Reader = (bytes: Uint8Array, path: string, instant: Instant, gathered: Gathered) => void;

const COMPACTION: Reader = (bytes, path, by, { needed }) => {
  for (const { partitionPath, dataFile, logFiles } of decodeCompactionPlan(bytes, path)
    .operations) {
    for (const name of dataFile ? [dataFile, ...logFiles] : logFiles) {
      needed.push({ path: dataPath(partitionPath, nameOf(name)), by });
    }
  }
};

const REPLACE: Reader = (bytes, path, by, { clustered }) => {
  for (const group of decodeRequestedReplace(bytes, path).clustering ?? []) {
    clustered.push({ ...group, by });
  }
};

/** Readers of requests, by action. */
const REQUESTS: Partial<Record<Action, Reader>> = {
  compaction: COMPACTION,
  logcompaction: COMPACTION,
  replacecommit: REPLACE,
  clustering: REPLACE,
  clean: (bytes, path, _, { cleaned }) => {
    if (bytes.length === 0) return;
    for (const [partitionPath, files] of decodeCleanPlan(bytes, path).filesToBeDeleted) {
      for (const file of files) cleaned.add(dataPath(partitionPath, nameOf(file)));
    }
  },
  rollback: (bytes, path) => void decodeRollbackPlan(bytes, path),
  restore: (bytes, path) => void decodePlanFile(bytes, "HoodieRestorePlan", path),
};

/** Readers of the metadata of completed services, by action. */
const COMPLETED: Partial<Record<Action, Reader>> = {
  clean: (bytes, path, _, { cleaned }) => {
    for (const [partitionPath, names] of decodeCleanMetadata(bytes, path).deletedFiles) {
      for (const name of names) cleaned.add(dataPath(partitionPath, nameOf(name)));
    }
  },
  rollback: (bytes, path, _, { rolledBack }) => {
    for (const { time } of decodeRollbackMetadata(bytes, path).instantsRollback) {
      rolledBack.add(time);
    }
  },
  restore: (bytes, path) => void decodePlanFile(bytes, "HoodieRestoreMetadata", path),
  savepoint: (bytes, path, by, { needed }) => {
    for (const [partitionPath, names] of decodeSavepointMetadata(bytes, path).files) {
      for (const name of names) needed.push({ path: dataPath(partitionPath, name), by });
    }
  },
};

/** Reads plans of pending services and cleans, and the metadata of completed services. */
export async function verifyPlans(
  context: TableContext,
  timeline: ActiveTimeline,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<PlannedFiles> {
  const gathered: Gathered = {
    cleaned: new Set(),
    needed: [],
    clustered: [],
    rolledBack: new Set(),
  };
  const read = async (instant: Instant, shown: Instant, reader: Reader): Promise<void> => {
    const path = instantPath(context, shown);
    await findings.catch(
      { rule: "AP-8", path, instant: instant.time, remedy: REMEDIES[shown.state] },
      async () => {
        const { bytes } = await context.storage.read(path, { signal });
        reader(bytes, path, instant, gathered);
        const isCompaction = instant.action.endsWith("compaction");
        if (isCompaction && context.config.layout === 1) {
          await verifyCopy(context, shown, bytes, findings, signal);
        }
      },
    );
  };
  await mapConcurrently(
    timeline.instants,
    16,
    async (instant) => {
      const { action, state } = instant;
      const completed = COMPLETED[action];
      if (state === "completed" && completed) await read(instant, instant, completed);
      const request = REQUESTS[action];
      // Of completed services only the plan of a clean says more than the metadata: what it missed.
      const isOpen = state !== "completed" || action === "clean";
      if (request && isOpen) await read(instant, { ...instant, state: "requested" }, request);
      if (state === "inflight" && (action === "commit" || action === "deltacommit")) {
        await read(instant, instant, (bytes, path) => void parseCommitMetadata(bytes, path));
      }
    },
    signal,
  );
  return gathered;
}

const REMEDIES: Readonly<Record<Instant["state"], string>> = {
  requested: "unschedule it, or remove the file once no service runs",
  inflight: "roll it back: other writers cannot tell what it touches",
  completed: "restore the file from a copy; a clean or rollback that is done may be removed",
};

/** Some readers of version 6 look for the plan of a compaction in `.aux` first; Hudi 0.15 leaves none there. */
async function verifyCopy(
  context: TableContext,
  request: Instant,
  plan: Uint8Array,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const name = formatInstantFileName(request, 1);
  const path = timelinePath(1, `.aux/${name}`);
  const place = { rule: "VF-9", path, instant: request.time };
  const remedy = `copy ${timelinePath(1, name)} there`;
  if (!(await context.storage.findObject(path, { signal }))) return;
  const { bytes } = await context.storage.read(path, { signal });
  if (Buffer.compare(bytes, plan) === 0) return;
  const found = "the copy of the compaction's plan differs from the plan";
  findings.add({ ...place, severity: "error", found, remedy });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
