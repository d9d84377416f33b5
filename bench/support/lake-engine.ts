// This library as an engine of the benchmark.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { ChildProgram } from "./child-program.ts";
import type { DataFile } from "./dataset.ts";
import { digestArrowTable } from "./digest-arrow.ts";
import {
  type Engine,
  type EngineSettings,
  type Outcome,
  type ReadJob,
  type TableKind,
  tableOptions,
  type WriteJob,
} from "./engines.ts";
import type { InputForm, LakeAnswer } from "./lake-program.ts";
import type { LoopDelay } from "./loop-watch.ts";

/** A table as the library describes it. */
export interface TableState {
  /** Base files of the latest slices, by absolute path. */
  readonly files: readonly string[];
  readonly sizesBytes: readonly number[];
  /** Bytes of the logs of these slices. */
  readonly logBytes: number;
  /** Instants of completed commits, oldest first. */
  readonly instants: readonly string[];
}

/** A process with this library. */
export class LakeEngine implements Engine {
  readonly name = "ours";
  readonly variant: string;
  readonly #program: ChildProgram;
  readonly #form: InputForm;
  readonly #folder: string;

  private constructor(
    program: ChildProgram,
    parts: { form: InputForm; variant: string; folder: string },
  ) {
    this.#program = program;
    this.#form = parts.form;
    this.variant = parts.variant;
    this.#folder = parts.folder;
  }

  /** Starts the library; `variant` names the configuration and defaults to the form of the input. */
  static start(settings: EngineSettings, form: InputForm, variant: string = form): LakeEngine {
    const program = ChildProgram.start(
      `ours (${variant})`,
      new URL("./lake-program.ts", import.meta.url),
      [settings.library, JSON.stringify(tableOptions(settings))],
    );
    return new LakeEngine(program, { form, variant, folder: settings.folder });
  }

  async load(files: readonly DataFile[]): Promise<void> {
    const paths = files.map((file) => file.arrowPath);
    await this.#program.call("load", { paths, form: this.#form });
  }

  async write(job: WriteJob): Promise<Outcome> {
    const { kind, tablePath, isRepeated: keepsOpen = false } = job;
    const answer = await this.#program.call<LakeAnswer>("write", { kind, tablePath, keepsOpen });
    return { ...answer, files: (await this.describe(tablePath)).files };
  }

  /** A write during which the delay of the event loop is watched. */
  async writeWatched(
    job: WriteJob,
  ): Promise<Outcome & { readonly loopDelay: LoopDelay | undefined }> {
    const { kind, tablePath } = job;
    const answer = await this.#program.call<LakeAnswer>("write", {
      kind,
      tablePath,
      watchesLoop: true,
    });
    const files = (await this.describe(tablePath)).files;
    return { ...answer, loopDelay: answer.loopDelay, files };
  }

  async read(job: ReadJob): Promise<Outcome> {
    const { tablePath, columns, after, readOptimized } = job;
    const call = { tablePath, columns, after, readOptimized };
    const answer = await this.#program.call<LakeAnswer>("read", call);
    return { ...answer, files: [] };
  }

  async digestRead(job: ReadJob): Promise<string> {
    const { tablePath, columns, after, readOptimized } = job;
    const into = join(this.#folder, "ours-read.arrow");
    await this.#program.call("dump", { tablePath, columns, after, readOptimized, into });
    const digest = await digestArrowTable(tableFromIPC(await readFile(into)), columns);
    await rm(into);
    return digest;
  }

  /** Builds a table from all files; not measured. */
  async build(tablePath: string, files: readonly DataFile[], kind?: TableKind): Promise<void> {
    const paths = files.map((file) => file.arrowPath);
    await this.#program.call("build", { tablePath, paths, kind });
  }

  async describe(tablePath: string): Promise<TableState> {
    const { files, logs, instants } = await this.#program.call<{
      files: { path: string; sizeBytes: number }[];
      logs: { path: string; sizeBytes: number }[];
      instants: string[];
    }>("describe", { tablePath });
    return {
      files: files.map((file) => join(tablePath, file.path)),
      sizesBytes: files.map((file) => file.sizeBytes),
      logBytes: logs.reduce((sum, log) => sum + log.sizeBytes, 0),
      instants,
    };
  }

  async closeTables(): Promise<void> {
    await this.#program.call("closeTables");
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
