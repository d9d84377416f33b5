// The raw results: JSON lines, appended by every run and never edited. RESULTS.md follows from them.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Sample } from "./measure.ts";

/** One run of the benchmark and where it took place. */
export interface RunResult {
  readonly kind: "run";
  readonly run: string;
  readonly quick: boolean;
  readonly engines: readonly string[];
  /** The commit of the source, and whether files differed from it. */
  readonly source: string;
  readonly measures: "package" | "source";
  readonly node: string;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryGib: number;
  /** Load average of one minute when the run began: how quiet the machine was. */
  readonly load: number;
  readonly workers: number;
}

interface Place {
  readonly run: string;
  readonly workload: string;
  /** The case of the workload, such as "uniform into 1 M". */
  readonly case: string;
}

/** One measured piece of work. */
export interface SampleResult extends Place, Sample {
  readonly kind: "sample";
  readonly engine: string;
  readonly variant: string;
  /** From 0; warm-ups count down from -1. */
  readonly round: number;
  /** Rows that the work is about: those of the table for an upsert, those read for a read. */
  readonly rows: number;
  /** Bytes of the base files that hold the table afterwards; for writes. */
  readonly outputBytes?: number;
}

/** One number that is no piece of work. */
export interface ValueResult extends Place {
  readonly kind: "value";
  readonly engine: string;
  readonly variant: string;
  readonly round: number;
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

/** One HTTP request to an object store, in the order it was sent. */
export interface RequestResult extends Place {
  readonly kind: "request";
  readonly number: number;
  readonly method: string;
  readonly operation: string;
  readonly key: string;
  /** What it is for. */
  readonly purpose: string;
}

/** Something a reader of the results has to know, such as an engine that did not run. */
export interface NoteResult extends Place {
  readonly kind: "note";
  readonly text: string;
}

export type Result = RunResult | SampleResult | ValueResult | RequestResult | NoteResult;

/** The file of the raw results. */
export class ResultLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  append(result: Result): void {
    appendFileSync(this.path, `${JSON.stringify(result)}\n`);
  }

  load(): Result[] {
    if (!existsSync(this.path)) return [];
    const lines = readFileSync(this.path, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Result);
  }
}
