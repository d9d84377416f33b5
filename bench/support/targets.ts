// The figures to reach and what was found of each, computed from the recorded results.
import { type Metric, medianOf, ratioOf, type WorkloadView } from "./result-view.ts";

/** One figure to reach. */
export interface Target {
  readonly figure: string;
  readonly goal: string;
  /** What was found, as text; undefined when it was not measured. */
  readonly found: string | undefined;
  readonly isMet: boolean | undefined;
}

type Views = ReadonlyMap<string, WorkloadView>;

const GIB = 2 ** 30;
const MAX_REQUESTS = 18;
const MAX_COLD_MS = 300;
const MAX_DELAY_MS = 50;
/** Growth of the peak from the middle to the large table that passes as none. */
const MAX_GROWTH = 1.1;

/** Every target, in the order of the issue. */
export function findTargets(views: Views): Target[] {
  return [
    ...encoderTargets(views.get("encoder")),
    ...upsertTargets(views.get("upsert")),
    workersTarget(views.get("workers")),
    ...readTargets(views.get("read")),
    ...memoryTargets(views.get("memory")),
    wideTarget(views.get("wide")),
    requestTarget(views.get("s3-requests")),
    coldStartTarget(views.get("cold-start")),
    ...eventLoopTargets(views.get("event-loop")),
  ];
}

function findCase(view: WorkloadView | undefined, pattern: RegExp): string | undefined {
  return view?.cases.find((name) => pattern.test(name));
}

/** A target of the form "at least so many times". */
function ratioTarget(figure: string, least: number, found: number | undefined): Target {
  return {
    figure,
    goal: `at least ${least} ×`,
    found: found === undefined ? undefined : `${found.toFixed(2)} ×`,
    isMet: found === undefined ? undefined : found >= least,
  };
}

function belowTarget(
  figure: string,
  limit: number,
  found: number | undefined,
  format: (value: number) => string,
): Target {
  return {
    figure,
    goal: `under ${format(limit)}`,
    found: found === undefined ? undefined : format(found),
    isMet: found === undefined ? undefined : found < limit,
  };
}

function encoderTargets(view: WorkloadView | undefined): Target[] {
  const peers = [
    { codec: "snappy", engine: "duckdb", least: 0.8, title: "DuckDB, 1 thread" },
    { codec: "zstd", engine: "duckdb", least: 0.8, title: "DuckDB, 1 thread" },
    { codec: "zstd", engine: "parquet-wasm", least: 3, title: "parquet-wasm" },
  ];
  return peers.map(({ codec, engine, least, title }) => {
    const name = findCase(view, new RegExp(`, ${codec}$`));
    const what = name ?? `1 M rows, ${codec}`;
    const ratio =
      name === undefined
        ? undefined
        : ratioOf(view?.findSeries(name, engine), view?.findSeries(name, "ours"), "cpuMs");
    return ratioTarget(`Encoder, ${what}, per CPU second, to ${title}`, least, ratio?.median);
  });
}

function workersTarget(view: WorkloadView | undefined): Target {
  const name = view?.cases.at(-1);
  const ratio =
    name === undefined
      ? undefined
      : ratioOf(
          view?.findSeries(name, "ours", /^1 /),
          view?.findSeries(name, "ours", /^2 /),
          "wallMs",
        );
  const what = name ?? "upsert into four equal file groups";
  return ratioTarget(`Two worker threads to one, ${what}, by wall time`, 1.6, ratio?.median);
}

function upsertTargets(view: WorkloadView | undefined): Target[] {
  const name = findCase(view, /uniform rows into .*, snappy$/);
  const peers = [
    { engine: "spark", least: 5, variant: undefined, title: "Spark-Hudi" },
    { engine: "duckdb", least: 0.7, variant: /^1 /, title: "DuckDB's rewrite, 1 thread" },
    { engine: "duckdb", least: 0.7, variant: /^2 /, title: "DuckDB's rewrite, 2 threads" },
    { engine: "hudi-rs", least: 1, variant: /simple index$/, title: "hudi-rs's own, simple index" },
    { engine: "hudi-rs", least: 1, variant: /record index$/, title: "hudi-rs's own, record index" },
  ];
  return peers.flatMap(({ engine, least, variant, title }) =>
    [/^arrow/, /^rows/].map((form) => {
      const ratio =
        name === undefined
          ? undefined
          : ratioOf(
              view?.findSeries(name, engine, variant),
              view?.findSeries(name, "ours", form),
              "cpuMs",
            );
      const input = form.test("arrow") ? "record batches" : "row objects";
      const what = name ?? "100 k uniform rows into 1 M, snappy";
      return ratioTarget(
        `Upsert, ${what}, ${input}, per CPU second, to ${title}`,
        least,
        ratio?.median,
      );
    }),
  );
}

function readTargets(view: WorkloadView | undefined): Target[] {
  const names = view?.cases.filter((name) => view.series(name).length > 0) ?? [];
  const metrics: readonly [Metric, string][] = [
    ["cpuMs", "per CPU second"],
    ["wallMs", "by wall time"],
  ];
  return names.flatMap((name) => {
    const peers = view?.series(name).filter(({ engine }) => engine === "hudi-rs") ?? [];
    return peers.flatMap((peer) =>
      metrics.map(([metric, title]) => {
        const ratio = ratioOf(peer, view?.findSeries(name, "ours"), metric);
        const what = `Snapshot read, ${name}, ${title}, to hudi-rs ${nameReader(peer.variant)}`;
        return ratioTarget(what, 0.8, ratio?.median);
      }),
    );
  });
}

/** The release of hudi-rs, and which of its two calls hands over the rows. */
function nameReader(variant: string): string {
  const [release = "", call] = variant.split(" ");
  return `${release}, ${call === "stream" ? "one batch after the other" : "all batches at once"}`;
}

function memoryTargets(view: WorkloadView | undefined): Target[] {
  const peakOf = (name: string | undefined): number | undefined => {
    if (name === undefined || !view) return undefined;
    return Math.max(...view.series(name).map((series) => medianOf(series, "peakBytes")));
  };
  const names = view?.cases ?? [];
  const large = peakOf(names.at(-1));
  const middle = peakOf(names.at(-2));
  const growth = large === undefined || middle === undefined ? undefined : large / middle;
  return [
    belowTarget(
      `Peak memory, upsert of ${names.at(-1) ?? "100 k rows into 10 M"}, most of all worker counts`,
      GIB,
      large,
      (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`,
    ),
    belowTarget(
      `The same, times that of ${names.at(-2) ?? "the table of half the size"}`,
      MAX_GROWTH,
      growth,
      (times) => `${times.toFixed(2)} ×`,
    ),
  ];
}

function wideTarget(view: WorkloadView | undefined): Target {
  const name = view?.cases.at(-1);
  const peaks =
    name === undefined ? [] : (view?.series(name) ?? []).map((one) => medianOf(one, "peakBytes"));
  return belowTarget(
    `Peak memory, upsert of ${name ?? "1 k rows into 100 k of 1000 columns"}, five levels deep`,
    GIB,
    peaks.length === 0 ? undefined : Math.max(...peaks),
    (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`,
  );
}

function requestTarget(view: WorkloadView | undefined): Target {
  const requests = view?.requests("one-row upsert") ?? [];
  const lease = requests.filter((one) => one.purpose === "lease").length;
  const count = requests.length;
  return {
    figure: "Requests of a one-row upsert on MinIO, lease, markers and their removal counted",
    goal: `at most ${MAX_REQUESTS}`,
    found: count === 0 ? undefined : `${count} (${count - lease} without the lease)`,
    isMet: count === 0 ? undefined : count <= MAX_REQUESTS,
  };
}

function coldStartTarget(view: WorkloadView | undefined): Target {
  const name = view?.cases[0];
  const found = name && view?.findValue(name, "built package", "first row");
  return belowTarget(
    "Import, open and first row in a new process, Node's start included",
    MAX_COLD_MS,
    typeof found === "number" ? found : undefined,
    (ms) => `${Math.round(ms)} ms`,
  );
}

function eventLoopTargets(view: WorkloadView | undefined): Target[] {
  const names = view?.cases ?? [];
  const values = [
    ["p99", "Event-loop delay p99"],
    ["p99 of the wait of a request", "The wait of a request that arrives at any moment, p99"],
  ] as const;
  const measured = names.flatMap((name) =>
    ["arrow", "rows"].flatMap((form) =>
      values.map(([value, title]) =>
        belowTarget(
          `${title}, upsert of ${name}, ${form === "arrow" ? "record batches" : "row objects"}`,
          MAX_DELAY_MS,
          view?.findValue(name, form, value),
          (ms) => `${Math.round(ms)} ms`,
        ),
      ),
    ),
  );
  if (measured.length > 0) return measured;
  return [
    belowTarget("Event-loop delay p99 while an upsert runs", MAX_DELAY_MS, undefined, String),
  ];
}
