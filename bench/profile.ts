// Where the CPU time of this library goes: runs one piece of work several times under V8's profiler
// and prints, for each thread, the functions that took most of it, alone and with those they called.
// Run: node bench/profile.ts [upsert|bulk-insert|read] [arrow|rows] [rows of the table] [workers]
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { COLUMNS, Dataset } from "./support/dataset.ts";
import { LakeEngine } from "./support/lake-engine.ts";
import type { InputForm } from "./support/lake-program.ts";
import { buildLibrary } from "./support/library.ts";
import { copyTable, removeOldVersions } from "./support/table-copy.ts";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const ROUNDS = 4;
const SHOWN = Number(process.env.HUDI_LAKE_PROFILE_LINES ?? 28);

type Node = Profile["nodes"][number];

function nameOf({ callFrame: { functionName, url, lineNumber } }: Node): string {
  const place = url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`;
  return `${functionName || "(anonymous)"}${place}`;
}

/** Time of each function in ms, without idle time: what it took itself, or with its callees. */
function sumTimes(profile: Profile, withCallees: boolean): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callers = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])),
  );
  const times = new Map<string, number>();
  for (const [index, sampled] of profile.samples.entries()) {
    if (nameOf(nodes.get(sampled) as Node) === "(idle)") continue;
    const ms = (profile.timeDeltas[index] ?? 0) / 1000;
    const names = new Set<string>();
    for (let id: number | undefined = sampled; id !== undefined; id = callers.get(id)) {
      names.add(nameOf(nodes.get(id) as Node));
      if (!withCallees) break;
    }
    for (const name of names) times.set(name, (times.get(name) ?? 0) + ms);
  }
  return times;
}

function formatProfile(name: string, total: number, times: ReadonlyMap<string, number>): string {
  const top = [...times].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  const lines = top.map(
    ([place, ms]) =>
      `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${place}`,
  );
  return `${name}: ${total.toFixed(0)} ms\n${lines.join("\n")}\n`;
}

async function main(args: readonly string[]): Promise<void> {
  const [kind = "upsert", form = "arrow", rowText = "1000000", workers = "2"] = args;
  const rows = Number(rowText);
  const folder = join(tmpdir(), "hudi-lake-bench");
  const dataset = new Dataset(folder, Math.min(rows, 1_000_000));
  const base = await dataset.base(rows);
  const change = await dataset.changes(rows, Math.floor(rows / 10), "uniform");
  const work = await mkdtemp(join(folder, "profile-"));
  const library = await buildLibrary();
  const settings = { library, codec: "snappy", workers: Number(workers), folder: work } as const;
  const basePath = join(work, "base");
  const helper = LakeEngine.start(settings, "arrow", "helper");
  await helper.build(basePath, base);
  const { files: baseFiles } = await helper.describe(basePath);
  await helper.stop();
  const profiles = join(work, "profiles");
  await mkdir(profiles);
  process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${profiles}`;
  const engine = LakeEngine.start(settings, form as InputForm);
  delete process.env.NODE_OPTIONS;
  try {
    await engine.load(kind === "bulk-insert" ? base : [change]);
    const tablePath = join(work, "table");
    if (kind === "upsert") await copyTable(basePath, tablePath);
    for (let round = 0; round < ROUNDS; round += 1) {
      if (kind === "bulk-insert") await rm(tablePath, { recursive: true, force: true });
      const outcome =
        kind === "read"
          ? await engine.read({ tablePath: basePath, columns: COLUMNS, baseFiles })
          : await engine.write({
              kind: kind as "upsert" | "bulk-insert",
              tablePath,
              baseFiles,
              isRepeated: kind === "upsert",
            });
      if (kind === "upsert") await removeOldVersions(tablePath, outcome.files);
      const { wallMs, cpuMs } = outcome.sample;
      console.log(`round ${round}: ${wallMs.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms CPU`);
    }
    await engine.closeTables();
  } finally {
    await engine.stop();
  }
  for (const name of (await readdir(profiles)).sort()) {
    const profile = JSON.parse(await readFile(join(profiles, name), "utf8")) as Profile;
    const alone = sumTimes(profile, false);
    const total = [...alone.values()].reduce((sum, ms) => sum + ms, 0);
    console.log(formatProfile(`${name}, each alone`, total, alone));
    console.log(formatProfile(`${name}, with callees`, total, sumTimes(profile, true)));
  }
  await rm(work, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) await main(argv.slice(2));
