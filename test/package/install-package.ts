// Installs the packed package into an empty project and uses it as a stranger would: import, types,
// the command. Called with the folder that holds the tarball.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2] ?? ".";
const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
if (!tarball) throw new Error(`cannot install the package: found no tarball in ${folder}`);
const project = join(folder, "project");
mkdirSync(project);
writeFileSync(join(project, "package.json"), '{"name":"stranger","type":"module","private":true}');
const run = (command: string, args: readonly string[]): string =>
  execFileSync(command, args, {
    cwd: project,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", join("..", tarball)]);

writeFileSync(
  join(project, "use.ts"),
  `import { HudiTable, type Commit } from "hudi-lake";
import * as ingest from "hudi-lake/ingest";
const table = await HudiTable.create("./lake/trips", {
  name: "trips",
  type: "copy-on-write",
  fields: { id: "string", fare: "double", at: "long" },
  recordKey: "id",
  orderingField: "at",
});
const commit: Commit = await table.upsert([{ id: "t1", fare: 12.5, at: 1n }]);
const rows = await table.read({ where: { fare: { gte: 10 } } }).toArray();
if (commit.inserted !== 1 || rows[0]?.id !== "t1") throw new Error("the package does not work");
await table.close();
if (Object.keys(ingest).length === 0) throw new Error("hudi-lake/ingest exports nothing");
`,
);
writeFileSync(
  join(project, "tsconfig.json"),
  JSON.stringify({
    compilerOptions: {
      module: "nodenext",
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      types: [],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    },
    files: ["use.ts"],
  }),
);
const bin = join(import.meta.dirname, "../../node_modules/.bin");
const node = join(bin, "node");
run(join(bin, "tsc"), ["-p", "."]);
run(node, ["use.ts"]);
const output = run(node, ["node_modules/hudi-lake/dist/cli/main.js", "read", "lake/trips"]);
if (!output.includes('"t1"')) throw new Error(`the lake command does not work: ${output}`);
process.stdout.write("the packed package installs, type-checks, runs and has a working command\n");
