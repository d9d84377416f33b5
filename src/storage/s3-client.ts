// The few S3 requests that the storage makes, each sent once. The only importer of the AWS SDK,
// which is loaded at the first request, so that tables elsewhere never load it.
import type { S3ClientConfig, S3Client as SdkClient } from "@aws-sdk/client-s3";
import { describeSdkError, S3Failure } from "./s3-failure.ts";

/** Keys of an S3 account; a token with temporary ones. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

/** One HTTP request, for counting. */
export interface S3Request {
  readonly method: string;
  /** The S3 operation, such as `PutObject`. */
  readonly operation: string;
  /** The key, or the prefix of a listing; empty where there is none. */
  readonly key: string;
}

/** Where the store is and how to talk to it. */
export interface S3ClientOptions {
  readonly bucket: string;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly forcePathStyle?: boolean | undefined;
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>) | undefined;
  readonly serverSideEncryption?: "AES256" | "aws:kms" | "aws:kms:dsse" | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly requestTimeoutMs: number;
  readonly maxSockets: number;
  readonly onRequest?: ((request: S3Request) => void) | undefined;
}

/** A condition of a PUT: the object is absent, or has this tag. */
export type PutCondition = { readonly absent: true } | { readonly tag: string };

export interface S3Head {
  readonly tag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly writeId: string | undefined;
}

export interface S3ListPage {
  readonly objects: readonly {
    readonly key: string;
    readonly sizeBytes: number;
    readonly modifiedMs: number;
    readonly tag: string;
  }[];
  readonly prefixes: readonly string[];
  readonly next: string | undefined;
}

export interface S3ListRequest {
  readonly prefix: string;
  readonly delimiter?: string;
  readonly startAfter?: string | undefined;
  readonly next?: string | undefined;
}

type Sdk = typeof import("@aws-sdk/client-s3");
type Signal = AbortSignal | undefined;

const CONNECT_TIMEOUT_MS = 5_000;
/** The slowest upload that is waited for, beyond the time limit of a small request. */
const MIN_BYTES_PER_MS = 64;

/**
 * Sends requests to one bucket. Every method sends exactly one HTTP request and throws an
 * `S3Failure`, or `signal.reason` once the signal has aborted; who retries is decided above.
 */
export class S3Client {
  readonly bucket: string;
  readonly #options: S3ClientOptions;
  #loading: Promise<{ readonly sdk: Sdk; readonly client: SdkClient }> | undefined;

  constructor(options: S3ClientOptions) {
    this.bucket = options.bucket;
    this.#options = options;
  }

  /** Reads an object or a part of it. `isWhole` says that the store ignored the range. */
  async get(
    key: string,
    range: string | undefined,
    signal: Signal,
  ): Promise<{ readonly bytes: Uint8Array; readonly tag: string; readonly isWhole: boolean }> {
    return this.#send(signal, 0, async ({ sdk, client }, options) => {
      const input = { Bucket: this.bucket, Key: key, Range: range };
      const reply = await client.send(new sdk.GetObjectCommand(input), options);
      const bytes = await collectBody(reply.Body as AsyncIterable<Uint8Array>, signal);
      return { bytes, tag: reply.ETag ?? "", isWhole: reply.ContentRange === undefined };
    });
  }

  async head(key: string, signal: Signal): Promise<S3Head> {
    return this.#send(signal, 0, async ({ sdk, client }, options) => {
      const input = { Bucket: this.bucket, Key: key };
      const reply = await client.send(new sdk.HeadObjectCommand(input), options);
      return {
        tag: reply.ETag ?? "",
        sizeBytes: reply.ContentLength ?? 0,
        modifiedMs: reply.LastModified?.getTime() ?? 0,
        writeId: reply.Metadata?.[WRITE_ID],
      };
    });
  }

  async put(
    key: string,
    bytes: Uint8Array,
    writeId: string | undefined,
    condition: PutCondition | undefined,
    signal: Signal,
  ): Promise<{ readonly tag: string }> {
    return this.#send(signal, bytes.byteLength, async ({ sdk, client }, options) => {
      const input = {
        Bucket: this.bucket,
        Key: key,
        Body: bytes,
        ...this.#creation(writeId),
        ...(condition &&
          ("absent" in condition ? { IfNoneMatch: "*" } : { IfMatch: condition.tag })),
      };
      const reply = await client.send(new sdk.PutObjectCommand(input), options);
      return { tag: reply.ETag ?? "" };
    });
  }

  async list(request: S3ListRequest, signal: Signal): Promise<S3ListPage> {
    return this.#send(signal, 0, async ({ sdk, client }, options) => {
      const input = {
        Bucket: this.bucket,
        Prefix: request.prefix,
        Delimiter: request.delimiter,
        StartAfter: request.startAfter,
        ContinuationToken: request.next,
        EncodingType: "url" as const,
      };
      const reply = await client.send(new sdk.ListObjectsV2Command(input), options);
      const decodeKey = reply.EncodingType === "url" ? decodeUrl : (text: string) => text;
      return {
        objects: (reply.Contents ?? []).map((object) => ({
          key: decodeKey(object.Key ?? ""),
          sizeBytes: object.Size ?? 0,
          modifiedMs: object.LastModified?.getTime() ?? 0,
          tag: object.ETag ?? "",
        })),
        prefixes: (reply.CommonPrefixes ?? []).map((each) => decodeKey(each.Prefix ?? "")),
        next: reply.IsTruncated ? (reply.NextContinuationToken ?? "") : undefined,
      };
    });
  }

  /** Deletes up to 1,000 objects; returns those that the store did not delete, with its code. */
  async delete(
    keys: readonly string[],
    signal: Signal,
  ): Promise<readonly { readonly key: string; readonly code: string }[]> {
    return this.#send(signal, 0, async ({ sdk, client }, options) => {
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
      const input = { Bucket: this.bucket, Delete };
      const reply = await client.send(new sdk.DeleteObjectsCommand(input), options);
      return (reply.Errors ?? [])
        .filter(({ Code }) => Code !== "NoSuchKey")
        .map(({ Key, Code }) => ({ key: Key ?? "", code: Code ?? "Error" }));
    });
  }

  async createUpload(key: string, writeId: string | undefined, signal: Signal): Promise<string> {
    return this.#send(signal, 0, async ({ sdk, client }, options) => {
      const input = { Bucket: this.bucket, Key: key, ...this.#creation(writeId) };
      const reply = await client.send(new sdk.CreateMultipartUploadCommand(input), options);
      if (!reply.UploadId) throw new S3Failure("ambiguous", 200, "NoUploadId");
      return reply.UploadId;
    });
  }

  /** Uploads a part, counted from 1, and returns its tag. */
  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    bytes: Uint8Array,
    signal: Signal,
  ): Promise<string> {
    return this.#send(signal, bytes.byteLength, async ({ sdk, client }, options) => {
      const input = {
        Bucket: this.bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: partNumber,
        Body: bytes,
      };
      const reply = await client.send(new sdk.UploadPartCommand(input), options);
      return reply.ETag ?? "";
    });
  }

  async completeUpload(
    key: string,
    uploadId: string,
    partTags: readonly string[],
    signal: Signal,
  ): Promise<void> {
    await this.#send(signal, 0, async ({ sdk, client }, options) => {
      const Parts = partTags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
      const input = {
        Bucket: this.bucket,
        Key: key,
        UploadId: uploadId,
        MultipartUpload: { Parts },
      };
      await client.send(new sdk.CompleteMultipartUploadCommand(input), options);
    });
  }

  async abortUpload(key: string, uploadId: string, signal: Signal): Promise<void> {
    await this.#send(signal, 0, async ({ sdk, client }, options) => {
      const input = { Bucket: this.bucket, Key: key, UploadId: uploadId };
      await client.send(new sdk.AbortMultipartUploadCommand(input), options);
    });
  }

  /** Closes the connections. A later request would open new ones. */
  async close(): Promise<void> {
    const loading = this.#loading;
    this.#loading = undefined;
    (await loading)?.client.destroy();
  }

  #creation(writeId: string | undefined): {
    Metadata?: Record<string, string>;
    ServerSideEncryption?: "AES256" | "aws:kms" | "aws:kms:dsse";
    SSEKMSKeyId?: string;
  } {
    const { serverSideEncryption, kmsKeyId } = this.#options;
    return {
      ...(writeId !== undefined && { Metadata: { [WRITE_ID]: writeId } }),
      ...(serverSideEncryption && { ServerSideEncryption: serverSideEncryption }),
      ...(kmsKeyId && { SSEKMSKeyId: kmsKeyId }),
    };
  }

  async #send<T>(
    signal: Signal,
    bodyBytes: number,
    run: (
      loaded: { readonly sdk: Sdk; readonly client: SdkClient },
      options: { abortSignal?: AbortSignal; requestTimeout: number },
    ) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const requestTimeout = this.#options.requestTimeoutMs + Math.ceil(bodyBytes / MIN_BYTES_PER_MS);
    try {
      return await run(await this.#loaded(), {
        requestTimeout,
        ...(signal && { abortSignal: signal }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw describeSdkError(error, this.#secrets());
    }
  }

  #loaded(): Promise<{ readonly sdk: Sdk; readonly client: SdkClient }> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(): Promise<{ readonly sdk: Sdk; readonly client: SdkClient }> {
    const sdk = await import("@aws-sdk/client-s3");
    const client = new sdk.S3Client(this.#config());
    const { onRequest } = this.#options;
    if (onRequest) {
      client.middlewareStack.add(
        (next, context) => (args) => {
          const input = args.input as { readonly Key?: string; readonly Prefix?: string };
          const operation = String(context.commandName ?? "").replace(/Command$/, "");
          const { method } = args.request as { readonly method: string };
          onRequest({ method, operation, key: input.Key ?? input.Prefix ?? "" });
          return next(args);
        },
        { step: "deserialize", priority: "low", name: "countRequests" },
      );
    }
    return { sdk, client };
  }

  #config(): S3ClientConfig {
    const { endpoint, region, forcePathStyle, credentials, requestTimeoutMs } = this.#options;
    const agent = { keepAlive: true, maxSockets: this.#options.maxSockets };
    return {
      // The storage retries by itself: a retry in here would meet its own first success as a 412.
      maxAttempts: 1,
      expectContinueHeader: false,
      requestHandler: {
        connectionTimeout: Math.min(CONNECT_TIMEOUT_MS, requestTimeoutMs),
        requestTimeout: requestTimeoutMs,
        throwOnRequestTimeout: true,
        socketTimeout: requestTimeoutMs,
        httpAgent: agent,
        httpsAgent: agent,
      },
      ...(endpoint !== undefined && {
        endpoint,
        // Stores other than S3 itself may not know the newer checksum headers.
        requestChecksumCalculation: "WHEN_REQUIRED" as const,
        responseChecksumValidation: "WHEN_REQUIRED" as const,
      }),
      ...((region ?? (endpoint && "us-east-1")) && { region: region ?? "us-east-1" }),
      ...(forcePathStyle !== undefined && { forcePathStyle }),
      ...(credentials !== undefined && {
        credentials: credentials as S3ClientConfig["credentials"],
      }),
    } as S3ClientConfig;
  }

  #secrets(): readonly string[] {
    const { credentials } = this.#options;
    if (typeof credentials !== "object") return [];
    return [credentials.secretAccessKey, credentials.sessionToken ?? ""];
  }
}

/** The name under which a write id lies in an object's metadata (`x-amz-meta-write-id`). */
const WRITE_ID = "write-id";

function decodeUrl(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll("+", " "));
}

async function collectBody(body: AsyncIterable<Uint8Array>, signal: Signal): Promise<Uint8Array> {
  const stream = body as AsyncIterable<Uint8Array> & { destroy(error?: Error): void };
  const onAbort = () => stream.destroy(new Error("aborted"));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of stream) {
      chunks.push(chunk);
      length += chunk.byteLength;
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
