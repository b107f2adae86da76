/** Calls Preceptor from a browser: transports for the generated services, a signed-in session, and readable errors. */

import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { BrowserDevices, type DeviceTokens } from "./devices.js";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { SessionService, type Tokens } from "./gen/preceptor/identity/v1/session_pb.js";

export { BrowserDevices, type DeviceTokens } from "./devices.js";
export { codePointAt, passageOf, unitAt, unitsOf, type Passage } from "./spans.js";

const RENEW_BEFORE_MS = 30_000;

/**
 * A person who is signed in. Tokens are kept in memory only, so that no script finds them in the page's storage; what is kept
 * there is the token by which this device is known to the account, which opens nothing.
 */
export class Session {
  /** Carries calls in the person's name: `createClient(WorkService, session.transport)`. */
  readonly transport: Transport;
  readonly #sessions;
  readonly #devices: DeviceTokens;
  #tokens: Tokens | undefined;
  #renewing: Promise<void> | undefined;

  /** Takes the edge's address, like `https://api.example`, and where this device keeps by which it is known. */
  constructor(baseUrl: string, devices: DeviceTokens = new BrowserDevices()) {
    this.#devices = devices;
    this.#sessions = createClient(SessionService, createGrpcWebTransport({ baseUrl }));
    this.transport = createGrpcWebTransport({ baseUrl, interceptors: [this.#authorized()] });
  }

  /** Names of account, expert and vendor of who is signed in, beside the tokens. */
  get account(): Tokens | undefined {
    return this.#tokens;
  }

  /** Signs in by password. Throws ConnectError, as every call does. */
  async signIn(email: string, password: string): Promise<void> {
    const known = await this.#devices.get(email);
    const { tokens, deviceToken } = await this.#sessions.signIn({ email, password, deviceToken: known });
    this.#tokens = tokens;
    await this.#devices.set(email, deviceToken);
  }

  /**
   * Ends the session on the server, so that neither token is of use to anybody any more, and forgets both. Throws ConnectError
   * where the server could not be told: then they are forgotten here, and the session ends there when it is not refreshed.
   */
  async signOut(): Promise<void> {
    if (!this.#tokens) return;
    try {
      await createClient(SessionService, this.transport).signOut({});
    } catch (error) {
      // It has ended there already.
      if (ConnectError.from(error).code !== Code.Unauthenticated) throw error;
    } finally {
      this.#tokens = undefined;
    }
  }

  #authorized(): Interceptor {
    return (next) => async (request) => {
      await this.#renewed();
      if (this.#tokens) request.header.set("authorization", `Bearer ${this.#tokens.accessToken}`);
      return next(request);
    };
  }

  /** A refresh token is good for one use, so calls that find the token stale share one renewal. */
  async #renewed(): Promise<void> {
    const ends = Number(this.#tokens?.accessExpireTime?.seconds ?? 0n) * 1000;
    if (!this.#tokens?.refreshToken || ends - Date.now() > RENEW_BEFORE_MS) return;
    this.#renewing ??= this.#renew(this.#tokens.refreshToken).finally(() => (this.#renewing = undefined));
    await this.#renewing;
  }

  async #renew(refreshToken: string): Promise<void> {
    const { tokens } = await this.#sessions.refreshSession({ refreshToken });
    // Whoever has signed out meanwhile stays out.
    if (this.#tokens?.refreshToken === refreshToken) this.#tokens = tokens;
  }
}

/** The stable reason of an error, like "LEASE_EXPIRED"; empty where it has none. */
export function reasonOf(error: unknown): string {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}

/** What is wrong with each field of a request, by the field's path. */
export function violationsOf(error: unknown): Map<string, string> {
  const [details] = ConnectError.from(error).findDetails(BadRequestSchema);
  return new Map(details?.fieldViolations.map(({ field, description }) => [field, description]));
}
