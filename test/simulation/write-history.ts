// What writers of a simulation asked for and were told, and the table that this amounts to: commits
// are applied to a model in the order in which they became visible.
import { isHudiError } from "../../src/errors.ts";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import { ProcessDied } from "../../src/storage/memory-faults.ts";
import { parseCommitMetadata } from "../../src/timeline/commit-metadata.ts";
import { type ModelRules, ModelTable } from "../support/model-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import type { CommitEvent, Simulation } from "./simulated-processes.ts";

/** One write call. */
export type WriteCall =
  | {
      readonly kind:
        | "insert"
        | "upsert"
        | "bulkInsert"
        | "insertOverwrite"
        | "insertOverwriteTable";
      readonly rows: readonly AnyRow[];
    }
  | { readonly kind: "delete" | "deletePartitions"; readonly rows: readonly AnyRow[] }
  | { readonly kind: "apply"; readonly changes: readonly Change<AnyRow>[] };

interface Asked {
  readonly write: WriteCall;
  readonly by: string;
  told: "nothing" | "success" | "failure" | "unknown" | "death";
  instant?: string;
  error?: unknown;
}

/** The key of the commit's extra metadata under which it names the call it comes from. */
const CALL_KEY = "call";

export class WriteHistory {
  readonly calls: Asked[] = [];
  readonly #simulation: Simulation;
  readonly #rules: ModelRules;

  constructor(simulation: Simulation, rules: ModelRules) {
    this.#simulation = simulation;
    this.#rules = rules;
  }

  /** Makes a call and notes what came of it; errors of the library are no surprise. */
  async write(by: string, table: HudiTable<AnyRow>, write: WriteCall): Promise<Asked> {
    const asked: Asked = { write, by, told: "nothing" };
    const options = { checkpoint: { [CALL_KEY]: String(this.calls.length) } };
    this.calls.push(asked);
    try {
      const commit =
        write.kind === "apply"
          ? await table.apply(write.changes, options)
          : await table[write.kind](write.rows, options);
      asked.told = "success";
      asked.instant = commit.instant;
    } catch (error) {
      asked.error = error;
      if (hasDied(error)) asked.told = "death";
      else if (isHudiError(error, "COMMIT_STATE_UNKNOWN")) asked.told = "unknown";
      else if (isHudiError(error)) asked.told = "failure";
      else throw error;
    }
    return asked;
  }

  /** The table after the first so many commit events. */
  modelAfter(eventCount: number): ModelTable {
    const visible: CommitEvent[] = [];
    for (const event of this.#simulation.events.slice(0, eventCount)) {
      if (event.kind === "completed") visible.push(event);
      else
        visible.splice(
          visible.findIndex((other) => other.instant === event.instant),
          1,
        );
    }
    const model = new ModelTable(this.#rules);
    for (const event of visible) {
      applyTo(model, (this.calls[callOf(event)] as Asked).write, event.instant);
    }
    return model;
  }

  /** Rows after the first so many commit events, as text. */
  rowsAfter(eventCount: number): string[] {
    return rowTexts(this.modelAfter(eventCount).rows());
  }

  /** What was told wrongly: success without a commit, failure with one, a call that took effect twice. */
  findLies(): string[] {
    const completions = this.#simulation.events.filter((event) => event.kind === "completed");
    return this.calls.flatMap((asked, index) => {
      const own = completions.filter((event) => callOf(event) === index);
      const name = `call ${index} of ${asked.by}`;
      if (own.length > 1)
        return [`${name} took effect as ${own.map((e) => e.instant).join(" and ")}`];
      if (asked.told === "success" && own[0]?.instant !== asked.instant) {
        return [`${name} was told that it is commit ${asked.instant}, which is not there`];
      }
      if (asked.told === "failure" && own.length > 0) {
        return [
          `${name} was told ${(asked.error as Error).message}, but is commit ${own[0]?.instant}`,
        ];
      }
      return [];
    });
  }
}

/** The call that a commit comes from. */
function callOf({ instant, content }: CommitEvent): number {
  const metadata = parseCommitMetadata(content, instant);
  const text = metadata.extraMetadata.get(CALL_KEY);
  if (text === undefined) throw new Error(`commit ${instant} belongs to no call`);
  return Number(text);
}

function hasDied(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProcessDied) return true;
  }
  return false;
}

/** What a write does to a model. */
export function applyTo(model: ModelTable, write: WriteCall, by: string): void {
  switch (write.kind) {
    case "apply":
      model.apply(write.changes, by);
      break;
    case "upsert":
      model.upsert(write.rows, by);
      break;
    case "delete":
      model.delete(write.rows);
      break;
    case "deletePartitions":
      model.deletePartitions(write.rows);
      break;
    case "insertOverwrite":
      model.overwrite(write.rows, "partitions", by);
      break;
    case "insertOverwriteTable":
      model.overwrite(write.rows, "table", by);
      break;
    default:
      model.insert(write.rows, by);
  }
}
