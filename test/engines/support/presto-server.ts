// PrestoDB with its Hudi connector, the reader nearest to Athena (it bundles Hudi 0.14.0): one
// process on this machine that reads Hudi tables through a metastore of plain files.

import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { downloadArtifact, provisionComponent, runTool } from "./engine-cache.ts";
import type { EngineRow } from "./engine-rows.ts";
import type { ObjectStoreServer } from "./minio-server.ts";
import { type PrestoAnswer, PrestoError, runPrestoStatement } from "./presto-client.ts";
import {
  createPrestoSchema,
  findPartitioning,
  PRESTO_SCHEMA,
  type PrestoTable,
  registerPrestoTable,
} from "./presto-metastore.ts";
import { findFreePort, ServerProcess } from "./server-process.ts";

/**
 * The newest Presto server that the Maven repository offers as an archive. It bundles Hudi 0.14.0,
 * as the releases up to 0.297 do; an unpacked one of those is named by `HUDI_LAKE_PRESTO_HOME`.
 */
export const PRESTO_VERSION = "0.287";
const ASM_VERSION = "9.8";

/** How a server is started. */
export interface PrestoServerOptions {
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
 * Gives the home of an unpacked server: `HUDI_LAKE_PRESTO_HOME` where that is set, else one that is
 * downloaded at first use (2 GB, of which 450 MB stay). Needs `mvn` and `tar`.
 */
export async function provisionPresto(): Promise<string> {
  const configured = process.env.HUDI_LAKE_PRESTO_HOME;
  if (configured) return resolve(configured);
  return provisionComponent("presto-server", PRESTO_VERSION, async (into) => {
    const download = join(into, "download");
    await downloadArtifact(`com.facebook.presto:presto-server:${PRESTO_VERSION}:tar.gz`, download);
    await runTool("tar", [
      ...["--extract", "--gzip", "--strip-components=1", `--directory=${into}`, "--wildcards"],
      `--file=${join(download, `presto-server-${PRESTO_VERSION}.tar.gz`)}`,
      ...["*/NOTICE", "*/README.txt", "*/lib/*", "*/plugin/hudi/*"],
    ]);
    await rm(download, { recursive: true });
    await replaceAsm(into);
  });
}

// The ASM 9.0 of this release cannot read class files of Java 17.
async function replaceAsm(home: string): Promise<void> {
  const fresh = join(home, "asm");
  const modules = ["asm", "asm-analysis", "asm-tree", "asm-util"];
  for (const module of modules) {
    await downloadArtifact(`org.ow2.asm:${module}:${ASM_VERSION}`, fresh);
  }
  for (const folder of [join(home, "lib"), join(home, "plugin", "hudi")]) {
    for (const name of await readdir(folder)) {
      if (/^asm(-analysis|-tree|-util)?-[\d.]+\.jar$/.test(name)) await rm(join(folder, name));
    }
    for (const name of await readdir(fresh)) await copyFile(join(fresh, name), join(folder, name));
  }
  await rm(fresh, { recursive: true });
}

/** A running Presto with the catalog `hudi`, whose schema `lake` holds the registered tables. */
export class PrestoServer {
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
   * Starts Presto and awaits its first answer; it is provisioned at first use. Needs Java 17. It
   * listens on the loopback interface but for one port of its own Thrift protocol, which this
   * release binds to every interface whatever it is told.
   */
  static async start(options: PrestoServerOptions): Promise<PrestoServer> {
    const home = await provisionPresto();
    const dataDir = resolve(options.dataDir);
    const port = options.port ?? (await findFreePort());
    const jmxPort = await findFreePort();
    const metastorePath = join(dataDir, "metastore");
    await createPrestoSchema(metastorePath);
    await writeConfiguration(home, dataDir, { ...options, port, jmxPort });
    const serverProcess = new ServerProcess(`Presto of ${home}`, {
      command: findJava(),
      args: [
        ...formatJvmArguments(options, jmxPort),
        ...["-cp", join(home, "lib", "*")],
        `-Dconfig=${join(dataDir, "etc", "config.properties")}`,
        "com.facebook.presto.server.PrestoServer",
      ],
      cwd: dataDir,
      env: formatEnvironment(options),
    });
    const server = new PrestoServer(serverProcess, metastorePath, `http://127.0.0.1:${port}`);
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

  /** The last lines that Presto logged. */
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
    await registerPrestoTable(this.#metastorePath, { ...table, ...found });
  }

  /**
   * Runs one statement, by default in the schema `hudi.lake`, and gives its rows. Presto knows
   * milliseconds only: a `timestamp` comes back as `truncateToPrestoMicros` of the stored value.
   */
  async query(sql: string): Promise<EngineRow[]> {
    return (await this.queryTable(sql)).rows;
  }

  /** Like `query`, with the columns and Presto's names of their types. */
  async queryTable(sql: string): Promise<PrestoAnswer> {
    const deadline = Date.now() + NODE_TIMEOUT_MS;
    for (;;) {
      try {
        return await runPrestoStatement(this.url, sql, {
          dialect: "Presto",
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

  /** Ends Presto at once; nothing that it holds is worth a shutdown of seven seconds. */
  async stop(): Promise<void> {
    await this.#process.kill();
  }
}

const START_TIMEOUT_MS = 180_000;
const NODE_TIMEOUT_MS = 60_000;

async function writeConfiguration(
  home: string,
  dataDir: string,
  options: PrestoServerOptions & { readonly port: number; readonly jmxPort: number },
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
    "http-server.admin.enabled": "false",
    "discovery-server.enabled": "true",
    "discovery.uri": `http://127.0.0.1:${options.port}`,
    "jmx.rmiregistry.port": String(options.jmxPort),
    "jmx.rmiserver.port": String(options.jmxPort),
    "plugin.dir": join(home, "plugin"),
    "catalog.config-dir": catalogPath,
    "query.max-memory": "500MB",
    "query.max-memory-per-node": "400MB",
    "query.max-total-memory-per-node": "600MB",
    "memory.heap-headroom-per-node": "200MB",
  });
  await writeProperties(join(catalogPath, "hudi.properties"), {
    "connector.name": "hudi",
    "hive.metastore": "file",
    "hive.metastore.catalog.dir": `file://${join(dataDir, "metastore")}`,
    ...(options.s3 === undefined
      ? {}
      : {
          "hive.s3.endpoint": options.s3.endpoint,
          "hive.s3.aws-access-key": options.s3.accessKeyId,
          "hive.s3.aws-secret-key": options.s3.secretAccessKey,
          "hive.s3.path-style-access": "true",
          "hive.s3.ssl.enabled": String(options.s3.endpoint.startsWith("https:")),
        }),
  });
}

// Hudi's own reader of the timeline does not see the catalog's S3 settings. It takes Hadoop
// properties from such variables, and the credentials from those of the AWS SDK.
function formatEnvironment({ s3 }: PrestoServerOptions): NodeJS.ProcessEnv {
  if (s3 === undefined) return process.env;
  return {
    ...process.env,
    HOODIE_ENV_fs_DOT_s3_DOT_impl: "com.facebook.presto.hive.s3.PrestoS3FileSystem",
    HOODIE_ENV_presto_DOT_s3_DOT_endpoint: s3.endpoint,
    HOODIE_ENV_presto_DOT_s3_DOT_ssl_DOT_enabled: String(s3.endpoint.startsWith("https:")),
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
}

// What the release opens by reflection under Java 17. The JMX agent, which Presto starts itself on
// every interface and without a password, is started here on the loopback interface instead.
function formatJvmArguments(options: PrestoServerOptions, jmxPort: number): string[] {
  const opened = [
    ...["java.io", "java.lang", "java.lang.ref", "java.lang.reflect", "java.net", "java.nio"],
    ...["java.security", "java.text", "java.util", "java.util.concurrent", "java.util.regex"],
    ...["javax.security.auth", "jdk.internal.loader", "sun.security.action"],
  ];
  return [
    `-Xmx${options.heap ?? "1500M"}`,
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    `-Duser.timezone=${options.timeZone ?? "UTC"}`,
    ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    `-Dcom.sun.management.jmxremote.port=${jmxPort}`,
    `-Dcom.sun.management.jmxremote.rmi.port=${jmxPort}`,
    "-Dcom.sun.management.jmxremote.host=127.0.0.1",
    "-Dcom.sun.management.jmxremote.authenticate=false",
    "-Dcom.sun.management.jmxremote.ssl=false",
    "-Djava.rmi.server.hostname=127.0.0.1",
  ];
}

function findJava(): string {
  const home = process.env.JAVA_HOME;
  return home ? join(home, "bin", "java") : "java";
}

async function writeProperties(
  path: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(path, lines.join(""));
}
