// From the location of a table to its storage: a path, a `file:` URL, or `s3://bucket/prefix`.
import { fileURLToPath } from "node:url";
import { HudiError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { LocalStorage } from "./local-storage.ts";
import type { S3Credentials, S3Request } from "./s3-client.ts";
import { S3Storage } from "./s3-storage.ts";
import type { Storage } from "./storage.ts";
import { requireStoragePath } from "./storage-path.ts";

/** How to reach a store. Everything but `runtime` concerns S3 and is ignored elsewhere. */
export interface StorageSettings {
  /** URL of a store other than AWS, such as `http://127.0.0.1:9000`. */
  readonly endpoint?: string | undefined;
  /** Default: the environment or profile; `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** Bucket in the path rather than in the host name. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean | undefined;
  /** Default: the chain of the AWS SDK (environment, profile, web identity, container, instance). */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>) | undefined;
  readonly serverSideEncryption?: "AES256" | "aws:kms" | "aws:kms:dsse" | undefined;
  readonly kmsKeyId?: string | undefined;
  /** Time limit of one request in milliseconds, default 30,000; one with a body has more. */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections at a time, default 64. */
  readonly maxSockets?: number | undefined;
  /** Requests for one call that fails in passing, default 5. */
  readonly maxAttempts?: number | undefined;
  /** Called once for each HTTP request that is sent, repeated ones included. */
  readonly onRequest?: ((request: S3Request) => void) | undefined;
  readonly runtime?: Runtime | undefined;
}

/**
 * Opens the storage at a location. Nothing is read yet. Throws `INVALID` for a location that cannot
 * be understood and `UNSUPPORTED` for another kind of store.
 */
export function openStorage(location: string | URL, settings: StorageSettings = {}): Storage {
  if (location instanceof URL) return openUrl(location, settings);
  if (typeof location !== "string" || location === "" || location.includes("\0")) {
    throw invalidLocation(String(location), "it is empty or no text");
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase();
  if (scheme === "file") return openUrl(parseUrl(location), settings);
  if (scheme === "s3" || scheme === "s3a" || scheme === "s3n") return openS3(location, settings);
  if (scheme === "memory") {
    throw invalidLocation(location, "memory has no location: pass a MemoryStorage instead");
  }
  if (scheme !== undefined && location.startsWith("//", scheme.length + 1)) {
    throw unsupportedScheme(location, scheme);
  }
  return openLocal(location, settings);
}

function openUrl(url: URL, settings: StorageSettings): Storage {
  const scheme = url.protocol.slice(0, -1);
  const isBucket = scheme === "s3" || scheme === "s3a" || scheme === "s3n";
  if (!isBucket && scheme !== "file") {
    throw unsupportedScheme(`${url.protocol}//${url.host}`, scheme);
  }
  if (url.username !== "" || url.password !== "") throw credentialsInLocation();
  if (url.search !== "" || url.hash !== "") {
    const plain = `${url.protocol}//${url.host}${url.pathname}`;
    throw invalidLocation(plain, "it has a query or a hash");
  }
  if (isBucket) return openS3(`s3://${url.host}${decodePath(url)}`, settings);
  try {
    return openLocal(fileURLToPath(url), settings);
  } catch (error) {
    throw invalidLocation(url.href, (error as Error).message);
  }
}

function openLocal(root: string, { runtime }: StorageSettings): Storage {
  return new LocalStorage(root, runtime && { runtime });
}

function openS3(location: string, settings: StorageSettings): Storage {
  const [, authority = "", rawPrefix = ""] = /^[^:]+:\/\/([^/]*)\/?(.*)$/s.exec(location) ?? [];
  if (authority.includes("@")) throw credentialsInLocation();
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(authority)) {
    throw invalidLocation(location, "it names no bucket, expected s3://bucket/prefix");
  }
  const prefix = rawPrefix.replace(/\/+$/, "");
  if (prefix !== "") requireStoragePath(prefix);
  const endpoint = settings.endpoint && requireEndpoint(settings.endpoint);
  return new S3Storage({
    ...settings,
    bucket: authority,
    prefix,
    endpoint,
    forcePathStyle: settings.forcePathStyle ?? (endpoint !== undefined || undefined),
  });
}

function requireEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.username || url?.password) throw credentialsInLocation();
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new HudiError(
      "INVALID",
      `cannot use endpoint ${JSON.stringify(endpoint)}: expected a URL such as https://host:port`,
    );
  }
  return endpoint;
}

function parseUrl(location: string): URL {
  if (!URL.canParse(location)) throw invalidLocation(location, "it is no URL");
  return new URL(location);
}

function decodePath(url: URL): string {
  try {
    return decodeURIComponent(url.pathname);
  } catch {
    throw invalidLocation(url.href, "it is not percent-encoded properly");
  }
}

function invalidLocation(location: string, fact: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot open location ${JSON.stringify(location)}: ${fact}, expected a path, a file: URL or s3://bucket/prefix`,
  );
}

function unsupportedScheme(location: string, scheme: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot open location ${JSON.stringify(location)}: there is no storage for ${scheme}:, expected a path, a file: URL or s3://bucket/prefix`,
  );
}

/** Says nothing of the location, which holds a secret. */
function credentialsInLocation(): HudiError {
  return new HudiError(
    "INVALID",
    "cannot open location: it contains credentials, expected them in the option credentials or the environment",
  );
}
