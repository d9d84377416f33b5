// Writes the files of a plan: new base files, rewritten ones, logs; several at once where there are threads.
// Rules: spec/protocol/commit.md TX-6.
import type { BaseFileSettings, WrittenFile } from "../file-group/base-file-writer.ts";
import { hasBaseFile } from "../file-group/file-slice.ts";
import type { LogFileSettings } from "../file-group/log-file-writer.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import type { Field } from "../format/schema.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { createTask, mergeTask } from "./copy-on-write.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { appendTask } from "./merge-on-read.ts";
import type { FileGroupWork } from "./work-plan.ts";

/** Everything that writing files needs besides the plan. */
export interface WriteFilesOptions {
  readonly context: TableContext;
  readonly runner: TaskRunner;
  readonly settings: BaseFileSettings & LogFileSettings;
  readonly instant: string;
  /** Number of the attempt, so that write tokens differ between attempts. */
  readonly attempt: number;
  readonly orderingField: Field | undefined;
  /** Called before each file is begun; throws to stop. */
  readonly beforeFile: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** Writes the files of a plan. */
export async function writeFileGroups(
  options: WriteFilesOptions,
  records: IncomingRecords,
  work: readonly FileGroupWork[],
): Promise<WrittenFile[]> {
  const { runner, signal } = options;
  const written = await mapConcurrently(
    work,
    runner.concurrency,
    async (item, taskNumber): Promise<readonly WrittenFile[]> => {
      options.beforeFile();
      const { slice } = item;
      if (!slice) return runner.run(await createTask(options, records, item, taskNumber), signal);
      if (item.log) {
        return runner.run(await appendTask(options, records, item, item.log, taskNumber), signal);
      }
      if (!hasBaseFile(slice)) throw new Error("a group without a base file is merged into");
      const task = await mergeTask(options, records, item, slice, taskNumber);
      const file = await runner.run(task, signal);
      return file ? [file] : [];
    },
    signal,
  );
  return written.flat();
}
