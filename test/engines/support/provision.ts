// Fetches the engines that the tests compare with, ahead of the tests that would fetch them at
// first use. Run: node test/engines/support/provision.ts [spark|hudi-rs|presto|trino|minio|all] ...

import {
  HUDI_BUNDLE_VERSIONS,
  provisionHudiBundle,
  provisionPython,
  reportProgress,
} from "./engine-cache.ts";

const provisioners: ReadonlyMap<string, () => Promise<string>> = new Map([
  ["spark", provisionSpark],
  ["hudi-rs", async () => (await provisionPython()).directory],
  ["presto", async () => (await import("./presto-server.ts")).provisionPresto()],
  ["trino", provisionTrino],
  ["minio", async () => (await import("./minio-server.ts")).provisionMinio()],
]);

async function provisionSpark(): Promise<string> {
  const python = await provisionPython();
  for (const version of HUDI_BUNDLE_VERSIONS) await provisionHudiBundle(version);
  return python.directory;
}

async function provisionTrino(): Promise<string> {
  const trino = await import("./trino-server.ts");
  await trino.provisionTrinoJava();
  return trino.provisionTrino();
}

async function main(args: readonly string[]): Promise<number> {
  const known = [...provisioners.keys()];
  const asked = args.length === 0 || args.includes("all") ? known : args;
  const unknown = asked.filter((name) => !provisioners.has(name));
  if (unknown.length > 0) {
    process.stderr.write(
      `unknown engine ${unknown.join(", ")}: expected ${known.join(", ")}, all\n`,
    );
    return 2;
  }
  let failures = 0;
  for (const name of asked) {
    try {
      reportProgress(`${name}: ready in ${await provisioners.get(name)?.()}`);
    } catch (error) {
      failures += 1;
      reportProgress(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
