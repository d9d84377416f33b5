// An HTTP proxy before an object store that answers each request a given time later, as a store far
// away would. It forwards headers untouched, so that signatures stay valid.
import { createServer, request, type Server } from "node:http";
import { findFreePort } from "../../test/engines/support/server-process.ts";

/** A running proxy. */
export class LatencyProxy {
  readonly endpoint: string;
  readonly #server: Server;

  private constructor(server: Server, endpoint: string) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** Starts a proxy of the loopback interface. */
  static async start(target: string, delayMs: number): Promise<LatencyProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((incoming, answer) => {
      const { method, url, headers } = incoming;
      setTimeout(() => {
        const forwarded = request({ hostname, port, method, path: url, headers }, (reply) => {
          answer.writeHead(reply.statusCode ?? 502, reply.headers);
          reply.pipe(answer);
        });
        forwarded.on("error", () => answer.destroy());
        incoming.pipe(forwarded);
      }, delayMs);
    });
    const listenPort = await findFreePort();
    await new Promise<void>((ready) => server.listen(listenPort, "127.0.0.1", ready));
    return new LatencyProxy(server, `http://127.0.0.1:${listenPort}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
