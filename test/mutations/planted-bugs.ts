// Bugs that were made or could be made, as edits of the source: each must turn a test red.

/** One edit: the text stands once in the file. */
export interface SourceEdit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** One bug and the suites that are to notice it. */
export interface PlantedBug {
  readonly name: string;
  /** What the library does then. */
  readonly effect: string;
  readonly edits: readonly SourceEdit[];
  readonly suite: "writers" | "histories";
}

/** Every bug. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "heartbeat-after-requested",
    effect: "the heartbeat of a write is put after its request",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "      const heartbeat = await Heartbeat.start(context, time, settings.heartbeat, signal);\n      let isRequested = false;\n      try {\n        const content = await requestContent(context, action);\n        const outcome = await createInstantFile(context, instant, content, {\n          writeId: createUuid(context.runtime.random),\n          signal,\n        });\n",
        to: "      let isRequested = false;\n      const content = await requestContent(context, action);\n      const outcome = await createInstantFile(context, instant, content, {\n        writeId: createUuid(context.runtime.random),\n        signal,\n      });\n      const heartbeat = await Heartbeat.start(context, time, settings.heartbeat, signal);\n      try {\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "no-overtaken-check",
    effect: "a write goes on though a greater instant has completed",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "if (!isOvertaken(seen, instant)) {",
        to: "if (isOvertaken(seen, instant) || true) {",
      },
    ],
    suite: "writers",
  },
  {
    name: "no-file-group-check",
    effect: "file groups that others wrote meanwhile are no conflict",
    edits: [
      {
        file: "src/write/conflict-check.ts",
        from: "    refuseOverlap(footprint, instant, commitFileGroups(metadata));\n",
        to: "    void metadata, instant;\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "no-absent-key-check",
    effect: "keys that others inserted meanwhile are not looked up again",
    edits: [
      {
        file: "src/write/conflict-check.ts",
        from: "  await checkAbsentKeys(",
        to: "  if (commits.length < 0) await checkAbsentKeys(",
      },
    ],
    suite: "writers",
  },
  {
    name: "deletes-not-looked-up-again",
    effect: "keys to be deleted that others inserted meanwhile are not looked up again",
    edits: [
      {
        file: "src/write/work-plan.ts",
        from: "    if (isTagged[entry] === 1) continue;\n    absent",
        to: "    if (isTagged[entry] === 1 || (finalRows[entry] as number) < 0) continue;\n    absent",
      },
    ],
    suite: "writers",
  },
  {
    name: "give-up-deletes-on-unknown",
    effect: "after an unknown outcome files are deleted",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "    if (error !== undefined && isInDoubt(error)) return;\n",
        to: "",
      },
      {
        file: "src/write/transaction.ts",
        from: 'if (now.find(this.instant.time)?.state === "completed") return;',
        to: "void now;",
      },
    ],
    suite: "writers",
  },
  {
    name: "incremental-ignores-pending",
    effect: "an incremental read passes a pending write",
    edits: [
      {
        file: "src/read/commit-range.ts",
        from: "  return later.instants.find(\n    ({ action, time }) => isWriteAction(action) && !timeline.findCompletedWrite(time),\n  )?.time;",
        to: "  return later.instants.find(() => false)?.time;",
      },
    ],
    suite: "writers",
  },
  {
    name: "completes-without-lease-check",
    effect: "the completed file is created whether or not the lease is held",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "        ...underLease(lease),\n",
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "no-lease",
    effect: "a lease that others hold is taken",
    edits: [
      {
        file: "src/write/write-lock.ts",
        from: "if (!found || isFree(",
        to: "if (!found || true || isFree(",
      },
    ],
    suite: "writers",
  },
  {
    name: "tie-keeps-old",
    effect: "of two versions with one ordering value the stored one stays",
    edits: [
      {
        file: "src/file-group/base-file-merge.ts",
        from: "compare(row, threshold) > 0",
        to: "compare(row, threshold) >= 0",
      },
    ],
    suite: "histories",
  },
  {
    name: "lease-released-on-unknown",
    effect: "the lease is given back while the completed file may still arrive",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "      if (isInDoubt(error)) lease.leaveToExpire();\n",
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "rollback-lease-released-on-unknown",
    effect: "the lease is given back while the request of a rollback may still arrive",
    edits: [
      {
        file: "src/write/rollback.ts",
        from: "    if (isOutcomeUnknown(error)) lease.leaveToExpire();\n",
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "instant-kept-after-rollback",
    effect: "a write keeps its instant after it rolled others back",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "          if (gone.length === 0) {",
        to: "          if (gone.length > 0) seen = await loadActiveTimeline(context, signal);\n          if (gone.length >= 0) {",
      },
    ],
    suite: "writers",
  },
  {
    name: "ground-not-checked",
    effect: "a write completes though what it is based on was rolled back",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "if (!isGoing || !this.timeline.findCompletedWrite(target.time)) continue;",
        to: "if (isGoing || !isGoing) continue;",
      },
    ],
    suite: "writers",
  },
  {
    name: "begun-rollback-not-finished-first",
    effect: "a rollback that has begun to undo a commit is left until it is old",
    edits: [
      {
        file: "src/write/rollback.ts",
        from: 'if (state === "inflight" && target.state === "completed") return true;',
        to: "void [state, target];",
      },
    ],
    suite: "writers",
  },
  {
    name: "rollback-keeps-shared-instant",
    effect: "a rollback keeps an instant that a write has as well",
    edits: [
      {
        file: "src/write/rollback.ts",
        from: "if (isShared) await deletePendingInstant(context, own, signal);\n  return isShared;",
        to: "return false;",
      },
    ],
    suite: "writers",
  },
  {
    name: "lease-ends-by-the-clock",
    effect: "a lease is over when the own clock says so",
    edits: [
      {
        file: "src/write/write-lock.ts",
        from: "if (state.leaseMs === undefined) return overdueMs > DRIFT_MS;",
        to: "if (watchedMs >= 0) return overdueMs > DRIFT_MS;",
      },
    ],
    suite: "writers",
  },
  {
    name: "lease-judged-after-the-look",
    effect: "the age of a lease is taken after it was looked at",
    edits: [
      {
        file: "src/write/write-lock.ts",
        from: "    const lookedAt = clock.now();\n    const found = await store.load();\n",
        to: "    const found = await store.load();\n    const lookedAt = clock.now();\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "give-up-trusts-markers",
    effect: "who gives up removes only what markers name",
    edits: [
      {
        file: "src/write/marker-files.ts",
        from: "...paths, ...listed.flat()",
        to: "...paths",
      },
    ],
    suite: "writers",
  },
  {
    name: "own-late-file-taken-for-foreign",
    effect: "a file that arrived late is taken for that of another writer",
    edits: [
      {
        file: "src/timeline/active-timeline.ts",
        from: 'if (outcome === "created" || doubt === undefined) return outcome;',
        to: "if (outcome) return outcome;",
      },
    ],
    suite: "writers",
  },
  {
    name: "pending-files-taken-for-archived",
    effect: "files of the oldest write are read while it is pending",
    edits: [
      {
        file: "src/file-group/file-system-view.ts",
        from: "instant <= latest.time && instant < first.time",
        to: "instant < first.time",
      },
      {
        file: "src/file-group/file-system-view.ts",
        from: "isInQuestion && (await wasArchived(context, signal)) ? isOlder : never",
        to: "isInQuestion ? isOlder : never",
      },
    ],
    suite: "writers",
  },
  {
    name: "timeline-files-deleted-first",
    effect: "a rollback removes the instant before its data files",
    edits: [
      {
        file: "src/write/rollback-execution.ts",
        from: "  await context.storage.delete([...files.values()].flat(), { signal });\n  await deletePendingInstant(context, target, signal);\n",
        to: "  await deletePendingInstant(context, target, signal);\n  await context.storage.delete([...files.values()].flat(), { signal });\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "data-deleted-before-commit-is-taken-back",
    effect: "a rollback removes data files of a commit that readers still see",
    edits: [
      {
        file: "src/write/rollback-execution.ts",
        from: '  if (target.state === "completed") await revertToInflight(context, target, signal);\n  await context.storage.delete([...files.values()].flat(), { signal });\n',
        to: '  await context.storage.delete([...files.values()].flat(), { signal });\n  if (target.state === "completed") await revertToInflight(context, target, signal);\n',
      },
    ],
    suite: "writers",
  },
  {
    name: "rollback-of-self-not-checked",
    effect: "a write completes though a rollback names it",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: '      if (target.time === time) throw this.#lost("a rollback names it");\n',
        to: "      if (target.time === time) continue;\n",
      },
      {
        file: "src/write/transaction.ts",
        from: '    if (now.find(time)?.state !== "inflight") throw this.#lost("its inflight file is gone");\n',
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "requested-rollback-undoes-completed",
    effect: "a rollback that came too late undoes a completed commit",
    edits: [
      {
        file: "src/write/rollback-execution.ts",
        from: '  if (state === "requested") return false;\n',
        to: "  void state;\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "rollback-under-later-commits",
    effect: "a commit is taken from under later ones",
    edits: [
      {
        file: "src/write/rollback-execution.ts",
        from: "return !timeline.completedWrites().some((write) => write.time > target.time);",
        to: "return timeline !== undefined;",
      },
    ],
    suite: "writers",
  },
  {
    name: "version-not-read-again",
    effect: "the version of the table is not read again before completion",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "      await this.#requireSameTable(signal);\n",
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "rollback-by-markers-only",
    effect: "a rollback finds files by markers alone",
    edits: [
      {
        file: "src/write/rollback-execution.ts",
        from: "new Set(await listPartitions(context, { signal }))",
        to: "new Set<string>()",
      },
    ],
    suite: "writers",
  },
  {
    name: "threshold-of-last-change",
    effect: "of several changes of a key the last decides whether the stored row stays",
    edits: [
      {
        file: "src/write/key-folding.ts",
        from: "else if (threshold >= 0 && compare && compare(threshold, row) <= 0) thresholdRows[id] = row;",
        to: "else if (threshold >= 0) thresholdRows[id] = row;",
      },
    ],
    suite: "histories",
  },
  {
    name: "fold-keeps-first",
    effect: "of two versions in one write with one ordering value the first stays",
    edits: [
      {
        file: "src/write/key-folding.ts",
        from: "compare(current, row) <= 0",
        to: "compare(current, row) < 0",
      },
    ],
    suite: "histories",
  },
  {
    name: "requested-never-retried",
    effect: "the request of a rollback is tried at one instant only",
    edits: [
      {
        file: "src/write/rollback.ts",
        from: "      tried.push(time);\n",
        to: "",
      },
    ],
    suite: "writers",
  },
  {
    name: "success-though-lease-ran-out",
    effect: "a commit whose lease ran out before it was there counts as certain",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "    if (!lease.hasRunOut()) return;\n",
        to: "    if (lease) return;\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "completed-before-data",
    effect: "a commit completes without the conflict check",
    edits: [
      {
        file: "src/write/transaction.ts",
        from: "      await step.check(now, lease);\n      const content",
        to: "      const content",
      },
    ],
    suite: "writers",
  },
  {
    name: "no-overwritten-check",
    effect: "rows that come to a partition while it is replaced stay beside its new ones",
    edits: [
      {
        file: "src/write/conflict-check.ts",
        from: "    refuseOverwritten(footprint, instant, metadata);\n",
        to: "    void refuseOverwritten;\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "replaced-not-touched",
    effect: "file groups that a replace commit takes out may be written meanwhile",
    edits: [
      {
        file: "src/write/write-operation.ts",
        from: "...replacedKeys(replaced)",
        to: "...replacedKeys(new Map(replaced.size < 0 ? replaced : []))",
      },
      {
        file: "src/write/conflict-check.ts",
        from: "    refuseOverwritten(footprint, instant, metadata);\n",
        to: "    void refuseOverwritten;\n",
      },
    ],
    suite: "writers",
  },
  {
    name: "first-partition-not-replaced",
    effect: "the first partition of an insert overwrite keeps its rows",
    edits: [
      {
        file: "src/write/replaced-groups.ts",
        from: '  const partitions = scope === "table" ? undefined : [...scope].sort();\n',
        to: '  const partitions = scope === "table" ? undefined : [...scope].sort().slice(1);\n',
      },
    ],
    suite: "histories",
  },
  {
    name: "partial-takes-first",
    effect: "of several partial rows of a key the first one gives the value of a column",
    edits: [
      {
        file: "src/write/resolved-rows.ts",
        from: "    for (let index = version.rows.length - 1; index >= 0; index -= 1) {\n",
        to: "    for (let index = 0; index < version.rows.length; index += 1) {\n",
      },
    ],
    suite: "histories",
  },
  {
    name: "older-rows-move",
    effect: "an older row that a global index finds in another partition moves it",
    edits: [
      {
        file: "src/write/key-resolver.ts",
        from: "      if (this.#isNewer(version, row)) left.push(version);\n      else if (isHome)",
        to: "      if (isHome && this.#isNewer(version, row)) left.push(version);\n      else if (isHome)",
      },
    ],
    suite: "histories",
  },
  {
    name: "marks-leave-no-grave",
    effect: "an older row behind one that is marked as deleted is inserted again",
    edits: [
      {
        file: "src/write/key-folding.ts",
        from: "deletes?.[row] === 1 && !(keepsGraves && isOrdered) ? -1 : row",
        to: "deletes?.[row] === 1 ? -1 : row",
      },
    ],
    suite: "histories",
  },
  {
    name: "bucket-of-another-hash",
    effect: "the list of hashed values is not counted into the hash",
    edits: [
      {
        file: "src/indexing/bucket-hash.ts",
        from: "      ? (31 + hash) | 0\n",
        to: "      ? hash | 0\n",
      },
    ],
    suite: "histories",
  },
  {
    name: "new-files-not-divided",
    effect: "all rows of a partition go into one new file",
    edits: [
      {
        file: "src/file-group/file-sizer.ts",
        from: "    const files = Math.max(1, Math.ceil(stored / (most * STRETCH)));",
        to: "    const files = Math.min(1, Math.ceil(stored / (most * STRETCH)));\n    this.#footerBytes = -1e12;",
      },
    ],
    suite: "histories",
  },
  {
    name: "everything-fits-small-files",
    effect: "a small file takes all new rows of its partition",
    edits: [
      {
        file: "src/write/insert-fit.ts",
        from: "    if (areFew) return count;",
        to: "    if (areFew || count > 0) return count;",
      },
    ],
    suite: "histories",
  },
  {
    name: "small-files-passed-over",
    effect: "new rows always go to new files",
    edits: [
      {
        file: "src/write/work-plan.ts",
        from: "      if (room === 0) continue;",
        to: "      if (room >= 0) continue;",
      },
    ],
    suite: "histories",
  },
];
