// A small HTTP server on the loopback that speaks enough of S3 for the storage, keeps objects in
// memory, and can be told to misbehave: once per request, or all along as certain stores do.
import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { compareUtf8 } from "../../src/storage/storage-path.ts";

export interface StubObject {
  readonly bytes: Buffer;
  readonly tag: string;
  readonly writeId: string | undefined;
  readonly modifiedMs: number;
}

/** A request as a fault plan sees it. */
export interface StubRequest {
  readonly operation: string;
  readonly method: string;
  readonly key: string;
  readonly headers: IncomingMessage["headers"];
  /** Counts the requests of this operation, from 0. */
  readonly nth: number;
}

/**
 * What happens to a request: an error without effect, an error after the effect, a connection that
 * ends before or after the effect, a body that is cut short, no answer at all, or interim ones for ever.
 */
export type StubFault =
  | {
      readonly status: number;
      readonly code: string;
      readonly isApplied?: boolean;
      readonly message?: string;
    }
  | "drop-before"
  | "drop-after"
  | "truncate"
  | "hang"
  | "drip";

/** Ways in which real stores have got conditional writes wrong. */
export interface StubManners {
  readonly ignoresIfNoneMatch?: boolean;
  readonly ignoresIfMatch?: boolean;
  readonly allowsIfMatchOnMissing?: boolean;
  readonly answersNotModified?: boolean;
  readonly lacksConditions?: boolean;
  readonly checksThenActs?: boolean;
  readonly refusesAllConditions?: boolean;
}

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
}

/** The running stub. */
export class S3Stub {
  readonly objects: Map<string, StubObject> = new Map();
  readonly uploads: Map<
    string,
    {
      readonly key: string;
      readonly parts: Map<number, Buffer>;
      readonly writeId: string | undefined;
    }
  > = new Map();
  readonly requests: StubRequest[] = [];
  plan: (request: StubRequest) => StubFault | undefined = () => undefined;
  /** Called after a request took effect and before it is answered. */
  afterEffect: (request: StubRequest) => void = () => {};
  manners: StubManners = {};
  readonly #server: Server;
  readonly #counts: Map<string, number> = new Map();

  constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  static async start(): Promise<S3Stub> {
    const stub = new S3Stub();
    await new Promise<void>((resolve) => stub.#server.listen(0, "127.0.0.1", resolve));
    return stub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The operations requested so far, in order. */
  get operations(): string[] {
    return this.requests.map(({ operation }) => operation);
  }

  put(key: string, bytes: Uint8Array | string, writeId?: string): string {
    const content = Buffer.from(bytes as Uint8Array);
    const tag = `"${createHash("md5").update(content).digest("hex")}"`;
    this.objects.set(key, { bytes: content, tag, writeId, modifiedMs: Date.now() });
    return tag;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? "/", "http://stub");
    const [, , ...rest] = url.pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    const operation = nameOperation(message.method ?? "", url, key);
    const nth = this.#counts.get(operation) ?? 0;
    this.#counts.set(operation, nth + 1);
    const { headers } = message;
    const request = { operation, method: message.method ?? "", key, headers, nth };
    this.requests.push(request);

    const fault = this.plan(request);
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    if (fault === "drop-before") return void message.socket.destroy();
    if (fault === "hang") return;
    if (fault === "drip") {
      const drip = setInterval(() => response.writeProcessing(), 10);
      message.socket.once("close", () => clearInterval(drip));
      return;
    }
    if (typeof fault === "object" && !fault.isApplied) {
      return send(response, failure(fault.status, fault.code, fault.message), request.method);
    }
    const reply = await this.#act(operation, key, url, message, Buffer.concat(chunks));
    this.afterEffect(request);
    if (fault === "drop-after") return void message.socket.destroy();
    if (typeof fault === "object") {
      return send(response, failure(fault.status, fault.code, fault.message), request.method);
    }
    if (fault === "truncate") {
      const body = Buffer.from(reply.body ?? "");
      response.writeHead(reply.status, { ...reply.headers, "content-length": `${body.length}` });
      response.write(body.subarray(0, Math.floor(body.length / 2)), () => message.socket.destroy());
      return;
    }
    send(response, reply, request.method);
  }

  async #act(
    operation: string,
    key: string,
    url: URL,
    message: IncomingMessage,
    body: Buffer,
  ): Promise<Reply> {
    const { headers } = message;
    const writeId = headers["x-amz-meta-write-id"] as string | undefined;
    switch (operation) {
      case "PutObject":
        return this.#putObject(key, body, headers, writeId);
      case "GetObject":
      case "HeadObject":
        return this.#getObject(key, headers.range);
      case "ListObjectsV2":
        return this.#list(url.searchParams);
      case "DeleteObjects":
        for (const [, found] of body.toString().matchAll(/<Key>(.*?)<\/Key>/gs)) {
          this.objects.delete(unescapeXml(found as string));
        }
        return xml("<DeleteResult></DeleteResult>");
      case "CreateMultipartUpload": {
        const id = randomUUID();
        this.uploads.set(id, { key, parts: new Map(), writeId });
        return xml(
          `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
        );
      }
      default:
        return this.#actOnUpload(operation, key, url.searchParams, body);
    }
  }

  #actOnUpload(operation: string, key: string, query: URLSearchParams, body: Buffer): Reply {
    const id = query.get("uploadId") ?? "";
    const upload = this.uploads.get(id);
    if (!upload) return failure(404, "NoSuchUpload");
    if (operation === "UploadPart") {
      upload.parts.set(Number(query.get("partNumber")), body);
      return { status: 200, headers: { etag: `"part-${query.get("partNumber")}"` } };
    }
    this.uploads.delete(id);
    if (operation === "AbortMultipartUpload") return { status: 204 };
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)</g)].map((m) => Number(m[1]));
    const parts = numbers.map((number) => upload.parts.get(number) as Buffer);
    this.put(key, Buffer.concat(parts), upload.writeId);
    return xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>");
  }

  async #putObject(
    key: string,
    body: Buffer,
    headers: IncomingMessage["headers"],
    writeId: string | undefined,
  ): Promise<Reply> {
    const manners = this.manners;
    const ifMatch = headers["if-match"];
    const isConditional = headers["if-none-match"] !== undefined || ifMatch !== undefined;
    if (isConditional && manners.lacksConditions) return failure(501, "NotImplemented");
    if (isConditional && manners.refusesAllConditions) return failure(412, "PreconditionFailed");
    const old = this.objects.get(key);
    const refused = manners.answersNotModified
      ? { status: 304 }
      : failure(412, "PreconditionFailed");
    if (manners.checksThenActs) await new Promise((resolve) => setTimeout(resolve, 20));
    if (headers["if-none-match"] === "*" && old && !manners.ignoresIfNoneMatch) return refused;
    if (ifMatch !== undefined && !manners.ignoresIfMatch) {
      if (!old && !manners.allowsIfMatchOnMissing) return failure(404, "NoSuchKey");
      if (old && old.tag !== ifMatch) return refused;
    }
    return { status: 200, headers: { etag: this.put(key, body, writeId) } };
  }

  #getObject(key: string, range: string | undefined): Reply {
    const object = this.objects.get(key);
    if (!object) return failure(404, "NoSuchKey");
    const headers: Record<string, string> = {
      etag: object.tag,
      "last-modified": new Date(object.modifiedMs).toUTCString(),
      "content-length": String(object.bytes.length),
      ...(object.writeId !== undefined && { "x-amz-meta-write-id": object.writeId }),
    };
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (first === undefined) return { status: 200, headers, body: object.bytes };
    if (Number(first) >= object.bytes.length) return failure(416, "InvalidRange");
    const part = object.bytes.subarray(Number(first), Number(last) + 1);
    const contentRange = `bytes ${first}-${Number(first) + part.length - 1}/${object.bytes.length}`;
    return {
      status: 206,
      headers: { ...headers, "content-length": String(part.length), "content-range": contentRange },
      body: part,
    };
  }

  #list(query: URLSearchParams): Reply {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareUtf8);
    const entries: string[] = [];
    const seen = new Set<string>();
    let last = "";
    let isTruncated = false;
    for (const key of keys) {
      const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      const common = end < 0 ? undefined : key.slice(0, end + 1);
      const isPast = compareUtf8(common ?? key, after) > 0 && !after.startsWith(common ?? "\0");
      if (!isPast || (common && seen.has(common))) continue;
      if (entries.length === 100) {
        isTruncated = true;
        break;
      }
      last = common ?? key;
      if (common) {
        seen.add(common);
        entries.push(`<CommonPrefixes><Prefix>${encode(common)}</Prefix></CommonPrefixes>`);
      } else {
        const { tag, bytes, modifiedMs } = this.objects.get(key) as StubObject;
        entries.push(
          `<Contents><Key>${encode(key)}</Key><ETag>${tag.replaceAll('"', "&quot;")}</ETag><Size>${bytes.length}</Size><LastModified>${new Date(modifiedMs).toISOString()}</LastModified></Contents>`,
        );
      }
    }
    const next = isTruncated
      ? `<NextContinuationToken>${escapeXml(last)}</NextContinuationToken>`
      : "";
    return xml(
      `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${next}${entries.join("")}</ListBucketResult>`,
    );
  }
}

function nameOperation(method: string, url: URL, key: string): string {
  const query = url.searchParams;
  if (method === "POST" && query.has("delete")) return "DeleteObjects";
  if (method === "POST" && query.has("uploads")) return "CreateMultipartUpload";
  if (method === "POST") return "CompleteMultipartUpload";
  if (method === "PUT") return query.has("partNumber") ? "UploadPart" : "PutObject";
  if (method === "DELETE") return "AbortMultipartUpload";
  if (method === "HEAD") return "HeadObject";
  return key === "" ? "ListObjectsV2" : "GetObject";
}

function send(response: ServerResponse, reply: Reply, method: string): void {
  response.writeHead(reply.status, reply.headers);
  response.end(method === "HEAD" ? undefined : reply.body);
}

function failure(status: number, code: string, message = `the stub says ${code}`): Reply {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  };
}

function xml(body: string): Reply {
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?>${body}`,
  };
}

const encode = (key: string): string => encodeURIComponent(key).replaceAll("%20", "+");

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function unescapeXml(text: string): string {
  return text
    .replace(/&#(x?)([0-9a-f]+);/gi, (_, x, digits) =>
      String.fromCodePoint(Number.parseInt(digits, x ? 16 : 10)),
    )
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}
