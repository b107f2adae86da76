/** Calls Preceptor from a browser: transports for the generated services, a signed-in session, and readable errors. */

import { ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { SessionService, type Tokens } from "./gen/preceptor/identity/v1/session_pb.js";

const RENEW_BEFORE_MS = 30_000;

/** A person who is signed in. Tokens are kept in memory only, so that no script finds them in the page's storage. */
export class Session {
  /** Carries calls in the person's name: `createClient(WorkService, session.transport)`. */
  readonly transport: Transport;
  readonly #sessions;
  #tokens: Tokens | undefined;
  #renewing: Promise<void> | undefined;

  /** Takes the edge's address, like `https://api.example`. */
  constructor(baseUrl: string) {
    this.#sessions = createClient(SessionService, createGrpcWebTransport({ baseUrl }));
    this.transport = createGrpcWebTransport({ baseUrl, interceptors: [this.#authorized()] });
  }

  /** Names of account, expert and vendor of who is signed in, beside the tokens. */
  get account(): Tokens | undefined {
    return this.#tokens;
  }

  /** Signs in by password. Throws ConnectError, as every call does. */
  async signIn(email: string, password: string): Promise<void> {
    this.#tokens = (await this.#sessions.signIn({ email, password })).tokens;
  }

  /** Forgets the tokens. */
  signOut(): void {
    this.#tokens = undefined;
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
    this.#tokens = (await this.#sessions.refreshSession({ refreshToken })).tokens;
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
