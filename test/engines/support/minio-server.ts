// MinIO, an S3 store that honours conditional writes, as one process on this machine with random
// credentials: what the tests of the S3 storage run against.

import { randomBytes } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import { CreateBucketCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

import { provisionComponent, runTool } from "./engine-cache.ts";
import { findFreePort, ServerProcess } from "./server-process.ts";

/** The version of the module `github.com/minio/minio` that the tests run. */
export const MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c";

/** An S3 store that runs for the tests, wherever it runs. */
export interface ObjectStoreServer {
  /** The address of the store, for example `http://127.0.0.1:9000`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Creates an empty bucket. */
  createBucket(name: string): Promise<void>;
  /** Ends the store. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface MinioServerOptions {
  /** The folder of the objects; created if it is missing. */
  readonly dataDir: string;
  /** The port; a free one by default. */
  readonly port?: number;
}

/** Gives the path of the MinIO program, which is compiled at first use. Needs `go`. */
export async function provisionMinio(): Promise<string> {
  const home = await provisionComponent("minio", MINIO_VERSION, async (into) => {
    await runTool(
      "go",
      ["install", "-trimpath", "-ldflags=-s -w", `github.com/minio/minio@${MINIO_VERSION}`],
      { env: { ...process.env, GOBIN: into, GOFLAGS: "", CGO_ENABLED: "0" } },
    );
  });
  const program = join(home, "minio");
  await stat(program);
  return program;
}

/** A running MinIO. */
export class MinioServer implements ObjectStoreServer {
  readonly endpoint: string;
  readonly region: string = "us-east-1";
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly #process: ServerProcess;

  constructor(
    serverProcess: ServerProcess,
    endpoint: string,
    accessKeyId: string,
    secretAccessKey: string,
  ) {
    this.#process = serverProcess;
    this.endpoint = endpoint;
    this.accessKeyId = accessKeyId;
    this.secretAccessKey = secretAccessKey;
  }

  /** Starts MinIO and awaits its readiness; it is provisioned at first use. */
  static async start(options: MinioServerOptions): Promise<MinioServer> {
    const program = await provisionMinio();
    const dataDir = resolve(options.dataDir);
    await mkdir(dataDir, { recursive: true });
    const address = `127.0.0.1:${options.port ?? (await findFreePort())}`;
    const accessKeyId = randomBytes(10).toString("hex");
    const secretAccessKey = randomBytes(20).toString("hex");
    const serverProcess = new ServerProcess("MinIO", {
      command: program,
      args: ["server", dataDir, "--address", address, "--quiet"],
      cwd: dataDir,
      env: {
        ...withoutMinioSettings(process.env),
        MINIO_ROOT_USER: accessKeyId,
        MINIO_ROOT_PASSWORD: secretAccessKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
      },
    });
    const endpoint = `http://${address}`;
    const server = new MinioServer(serverProcess, endpoint, accessKeyId, secretAccessKey);
    try {
      const isReady = async (): Promise<boolean> =>
        (await fetch(`${endpoint}/minio/health/ready`)).ok;
      await serverProcess.waitUntilReady(isReady, START_TIMEOUT_MS);
      return server;
    } catch (error) {
      await serverProcess.kill();
      throw error;
    }
  }

  /** The last lines that MinIO logged. */
  get log(): string {
    return this.#process.log;
  }

  /** What an S3 client needs to reach this server. */
  get clientConfig(): S3ClientConfig {
    const { endpoint, region, accessKeyId, secretAccessKey } = this;
    return {
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    };
  }

  async createBucket(name: string): Promise<void> {
    const client = new S3Client(this.clientConfig);
    try {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    } finally {
      client.destroy();
    }
  }

  /** Ends MinIO in good order. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** Kills MinIO at once, as a crash would. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }
}

const START_TIMEOUT_MS = 60_000;

// A developer's own MinIO settings must not reach this server.
function withoutMinioSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("MINIO_")));
}
