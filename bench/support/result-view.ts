// The recorded results of one workload, from the run that says most about it: full sizes before quick
// ones, then the one that measured the most engines, then the newest.
import type {
  NoteResult,
  RequestResult,
  Result,
  RunResult,
  SampleResult,
  ValueResult,
} from "./results.ts";
import { median, type Ratio, ratioByRound } from "./statistics.ts";

/** What was measured of an engine in one case, by round. */
export interface Series {
  readonly engine: string;
  readonly variant: string;
  readonly rows: number;
  readonly samples: readonly SampleResult[];
  readonly warmups: readonly SampleResult[];
}

/** A number of a sample. */
export type Metric = "cpuMs" | "wallMs" | "peakBytes" | "baselineBytes";

/** One workload of the chosen run. */
export class WorkloadView {
  readonly run: RunResult;
  readonly cases: readonly string[];
  readonly notes: readonly NoteResult[];
  readonly #results: readonly Result[];

  constructor(run: RunResult, results: readonly Result[]) {
    this.run = run;
    this.#results = results;
    this.cases = [...new Set(results.flatMap((one) => (one.kind === "run" ? [] : [one.case])))];
    this.notes = results.filter((one) => one.kind === "note");
  }

  /** The series of a case in the order they were measured. */
  series(name: string): Series[] {
    const found = new Map<string, SampleResult[]>();
    for (const one of this.#results) {
      if (one.kind !== "sample" || one.case !== name) continue;
      const key = `${one.engine}\n${one.variant}`;
      found.set(key, [...(found.get(key) ?? []), one]);
    }
    return [...found.values()].map((all) => {
      const [{ engine, variant, rows }] = all as [SampleResult, ...SampleResult[]];
      const samples = all.filter((one) => one.round >= 0);
      return { engine, variant, rows, samples, warmups: all.filter((one) => one.round < 0) };
    });
  }

  findSeries(name: string, engine: string, variant?: RegExp): Series | undefined {
    return this.series(name).find(
      (one) => one.engine === engine && (variant === undefined || variant.test(one.variant)),
    );
  }

  /** Values of a case by name of the value, each with its variant. */
  values(name: string): ValueResult[] {
    return this.#results.filter(
      (one) => one.kind === "value" && one.case === name,
    ) as ValueResult[];
  }

  /** Median of a value over rounds; undefined when it was not recorded. */
  findValue(name: string, variant: string, value: string): number | undefined {
    const found = this.values(name).filter((one) => one.variant === variant && one.name === value);
    return found.length === 0 ? undefined : median(found.map((one) => one.value));
  }

  requests(name: string): RequestResult[] {
    return this.#results.filter(
      (one) => one.kind === "request" && one.case === name,
    ) as RequestResult[];
  }
}

/** Median of a metric of a series. */
export function medianOf(series: Series, metric: Metric): number {
  return median(series.samples.map((one) => one[metric]));
}

/** How many times the metric of `below` goes into that of `above`. */
export function ratioOf(
  above: Series | undefined,
  below: Series | undefined,
  metric: Metric,
): Ratio | undefined {
  const byRound = (series: Series): Map<number, number> =>
    new Map(series.samples.map((one) => [one.round, one[metric]]));
  return above && below && ratioByRound(byRound(above), byRound(below));
}

/** Chooses the run of a workload; undefined when it never ran. */
export function findWorkloadView(
  results: readonly Result[],
  workload: string,
): WorkloadView | undefined {
  const runs = results.filter((one) => one.kind === "run");
  const views = runs.flatMap((run) => {
    const own = results.filter(
      (one) => one.kind !== "run" && one.run === run.run && one.workload === workload,
    );
    return own.some((one) => one.kind !== "note") ? [new WorkloadView(run, own)] : [];
  });
  const weight = ({ run, cases }: WorkloadView): number[] => [
    run.quick ? 0 : 1,
    run.engines.length,
    cases.length,
    Date.parse(run.run),
  ];
  return views.sort((a, b) => compareWeights(weight(b), weight(a)))[0];
}

function compareWeights(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
