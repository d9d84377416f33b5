// RESULTS.md, written from the raw results alone: the targets, what falls short, and one section for
// each workload with ratios first and absolute figures as context.
import {
  findWorkloadView,
  medianOf,
  ratioOf,
  type Series,
  type WorkloadView,
} from "./result-view.ts";
import type { Result } from "./results.ts";
import { median, type Ratio } from "./statistics.ts";
import { findTargets, type Target } from "./targets.ts";

const INTRO = `# Results of the benchmark

Written by \`npm run bench\` from \`results.jsonl\`; do not edit. Every ratio is the median over rounds
of interleaved runs (A B C, A B C) on the same machine at the same time, with the span of the rounds
behind it. **A ratio says how many times as much the other engine took: above 1, this library is
better.** No time counted before the outputs were equal, by a digest over all columns of all rows.

- CPU is user and system time of the whole process tree; the peak is the most resident memory while
  the work ran, input included where it is held in memory; it is measured anew for each piece of work.
- Every engine has its input in memory before the clock starts: record batches or row objects for
  this library, a cached frame for Spark, a table for DuckDB. Starting a process or a JVM is not
  counted, and two untimed rounds come first (one on the large tables, where processes are warm).
- Spark: 3.5 with the Hudi 0.15.0 bundle, \`local[2]\`, shuffle parallelism 2, 4 GiB of heap, BLOOM
  index, \`DefaultHoodieRecordPayload\`, same codec; metadata table, timeline server, cleaning and
  archiving off, so that it does what we do.
- DuckDB is the native floor: it reads the same base files and writes Parquet with the same columns,
  the five meta columns included, but no bloom filter of Hudi, no markers, no commit.
- This library leaves columns uncompressed that the codec would not shrink by an eighth; the size of
  the table stands beside the time.
- hudi-rs reads through its Python package, release 0.5.0, and through its crates, release 0.6.0-rc.1:
  \`read\` hands over all batches at once, \`stream\` one after the other. The crates write as well,
  tables of version 9 alone, so its upserts go into tables of its own with the same rows, with and
  without its metadata table, where its record index is. It writes no bloom filter of Hudi, as it does
  by default; the codec is the same.
`;

/** The whole document. */
export function formatReport(
  results: readonly Result[],
  workloads: readonly { readonly name: string; readonly title: string }[],
): string {
  const views = new Map<string, WorkloadView>();
  for (const { name } of workloads) {
    const view = findWorkloadView(results, name);
    if (view) views.set(name, view);
  }
  const targets = findTargets(views);
  const sections = workloads.flatMap(({ name, title }) => {
    const view = views.get(name);
    return view ? [formatWorkload(name, title, view)] : [`## ${title}\n\nNot measured yet.\n`];
  });
  return [INTRO, formatTargets(targets), formatShort(targets, views), ...sections].join("\n");
}

function formatTargets(targets: readonly Target[]): string {
  const rows = targets.map(({ figure, goal, found, isMet }) => [
    figure,
    goal,
    found ?? "not measured",
    isMet === undefined ? "" : isMet ? "met" : "**falls short**",
  ]);
  return `## Figures to reach\n\n${formatTable(["figure", "goal", "found", ""], rows)}`;
}

function formatShort(targets: readonly Target[], views: ReadonlyMap<string, WorkloadView>): string {
  const short = targets.filter(({ isMet }) => isMet === false);
  const quick = [...views].filter(([, view]) => view.run.quick).map(([name]) => name);
  const lines = short.map(({ figure, goal, found }) => `- ${figure}: ${found}, ${goal} wanted.`);
  if (quick.length > 0) {
    lines.push(`- Measured with quick sizes only, which say little: ${quick.join(", ")}.`);
  }
  for (const [name, { notes }] of views) {
    for (const { text, case: caseName } of notes) lines.push(`- ${name}, ${caseName}: ${text}.`);
  }
  return `## What falls short\n\n${lines.length > 0 ? lines.join("\n") : "Nothing."}\n`;
}

function formatWorkload(name: string, title: string, view: WorkloadView): string {
  const { run } = view;
  const facts = [
    `${run.cpus} cores (${run.cpuModel})`,
    `${run.memoryGib} GiB`,
    `Node ${run.node}`,
    `${run.workers} worker threads`,
    `source ${run.source}, ${run.measures === "package" ? "built" : "as source"}`,
    `load average ${run.load} at the start`,
    ...(run.quick ? ["**quick sizes**"] : []),
  ];
  const head = `## ${title[0]?.toUpperCase()}${title.slice(1)}\n\n\`${name}\`, ${run.run.slice(0, 10)}: ${facts.join(", ")}.\n`;
  const cases = view.cases.map((one) => formatCase(view, one)).filter((text) => text !== "");
  return [head, ...cases].join("\n");
}

function formatCase(view: WorkloadView, name: string): string {
  const series = view.series(name).filter((one) => one.samples.length > 0);
  const parts: string[] = [];
  if (series.length > 0) parts.push(formatSeries(series));
  const values = view.values(name);
  if (values.length > 0) parts.push(formatValues(values));
  const requests = view.requests(name);
  if (requests.length > 0) parts.push(formatRequests(requests));
  return parts.length === 0 ? "" : `### ${name}\n\n${parts.join("\n")}`;
}

const NAMES: Readonly<Record<string, string>> = {
  ours: "hudi-lake",
  duckdb: "DuckDB",
  spark: "Spark",
  "hudi-rs": "hudi-rs",
  "parquet-wasm": "parquet-wasm",
};

function formatSeries(series: readonly Series[]): string {
  const reference = series.find((one) => one.engine === "ours") as Series | undefined;
  const hasFiles = series.some((one) => one.samples[0]?.outputBytes !== undefined);
  const rows = series.map((one) => {
    const isReference = one === reference;
    const cpuMs = medianOf(one, "cpuMs");
    return [
      `${NAMES[one.engine] ?? one.engine}, ${one.variant}`,
      isReference ? "1" : formatRatio(ratioOf(one, reference, "cpuMs")),
      isReference ? "1" : formatRatio(ratioOf(one, reference, "wallMs")),
      formatMs(cpuMs),
      formatMs(medianOf(one, "wallMs")),
      `${formatMib(medianOf(one, "peakBytes"))} (${formatMib(medianOf(one, "baselineBytes"))} before)`,
      `${(one.rows / 1000 / cpuMs).toFixed(2)} M`,
      ...(hasFiles ? [formatFiles(one)] : []),
    ];
  });
  const head = [
    "",
    "CPU ratio",
    "wall ratio",
    "CPU",
    "wall",
    "peak memory",
    "rows per CPU second",
    ...(hasFiles ? ["size of the table"] : []),
  ];
  const first = reference?.warmups[0];
  const cold = first
    ? `\nThe first round of ${NAMES.ours}, not counted: ${formatMs(first.cpuMs)} CPU, ${formatMs(first.wallMs)} wall.\n`
    : "";
  return `${formatTable(head, rows)}${cold}`;
}

function formatFiles(series: Series): string {
  const bytes = series.samples.at(-1)?.outputBytes;
  return bytes === undefined ? "" : formatMib(bytes);
}

function formatRatio(ratio: Ratio | undefined): string {
  if (!ratio) return "";
  const { median: middle, least, greatest } = ratio;
  return `**${middle.toFixed(2)}** (${least.toFixed(2)} to ${greatest.toFixed(2)})`;
}

function formatMs(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`;
}

function formatMib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function formatValues(
  values: readonly { variant: string; name: string; value: number; unit: string }[],
): string {
  const names = [...new Set(values.map((one) => one.name))];
  const variants = [...new Set(values.map((one) => one.variant))];
  const rows = variants.map((variant) => [
    variant,
    ...names.map((name) => {
      const found = values.filter((one) => one.variant === variant && one.name === name);
      if (found.length === 0) return "";
      const all = found.map((one) => one.value);
      const span = `${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
      return `${median(all).toFixed(1)} ${found[0]?.unit} (${span})`;
    }),
  ]);
  return formatTable(["", ...names], rows);
}

function formatRequests(
  requests: readonly {
    number: number;
    method: string;
    operation: string;
    key: string;
    purpose: string;
  }[],
): string {
  const rows = requests.map(({ number, method, operation, key, purpose }) => [
    String(number),
    method,
    operation,
    key === "" ? "(the bucket or the table's folder)" : `\`${shortenKey(key)}\``,
    purpose,
  ]);
  const lease = requests.filter((one) => one.purpose === "lease").length;
  const heads = requests.filter((one) => one.method === "HEAD").length;
  const summary = `\n${requests.length} requests, ${requests.length - lease} without those of the lease, ${heads} of them HEAD.\n`;
  return `${formatTable(["", "method", "operation", "key", "for"], rows)}${summary}`;
}

/** Identifiers of one run say nothing to a reader. */
function shortenKey(key: string): string {
  return key
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<id>")
    .replaceAll(/\d{17}/g, "<instant>");
}

/** A table whose columns are padded, as the formatter of the project wants it. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, index) =>
    Math.max(3, title.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] as number)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}
