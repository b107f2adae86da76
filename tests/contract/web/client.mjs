// Uses the TypeScript client as a page would; prints what it saw as JSON.
//
//     node client.mjs BASE_URL EMAIL PASSWORD OTHER_EXPERT

import { Session, reasonOf, violationsOf } from "../../../clients/web/dist/index.js";
import { SessionService } from "../../../clients/web/dist/gen/preceptor/identity/v1/session_pb.js";
import { EarningService } from "../../../clients/web/dist/gen/preceptor/payouts/v1/earning_pb.js";
import { createClient } from "../../../clients/web/node_modules/@connectrpc/connect/dist/esm/index.js";

const [baseUrl, email, password, other] = process.argv.slice(2);
const called = [];
const { fetch, Date: { now } } = globalThis;
globalThis.fetch = (url, init) => {
  called.push(String(url).split("/").pop());
  return fetch(url, init);
};

const stored = new Map();
globalThis.localStorage = {
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => void stored.set(key, value),
};

const session = new Session(baseUrl);
const earnings = createClient(EarningService, session.transport);
const refused = (call) => call.then(() => undefined, (error) => error);

const unknown = await refused(earnings.getBalance({ expert: other, currency: "USD" }));
await session.signIn(email, password);
const { expert, accessToken } = session.account;
const balance = await earnings.getBalance({ expert, currency: "USD" });
const foreign = await refused(earnings.getBalance({ expert: other, currency: "USD" }));
const invalid = await refused(earnings.getBalance({ expert, currency: "dollars" }));

// Four and three quarters of a minute later the token is about to end, and a page asks for three things at once.
Date.now = () => now() + 285_000;
await Promise.all([1, 2, 3].map(() => earnings.getBalance({ expert, currency: "USD" })));

Date.now = now;
const refreshes = called.filter((name) => name === "RefreshSession").length;
const last = session.account;
await session.signOut();
const forgotten = session.account === undefined;
const sessions = createClient(SessionService, session.transport);
const after = await refused(sessions.refreshSession({ refreshToken: last.refreshToken }));
await session.signOut(); // nobody is signed in: nothing is asked

// The device is known by what it keeps: the same one, seen again, under a key that tells no address.
const [[key, first]] = [...stored];
await new Session(baseUrl).signIn(email.toUpperCase(), password);
const again = stored.get(key);
const device = {
  kept: stored.size,
  known: again.slice(0, 20) === first.slice(0, 20) && again !== first,
  told: key.includes(email),
};

console.log(
  JSON.stringify({
    expert,
    currency: balance.held?.currencyCode,
    reasons: [unknown, foreign, invalid, after].map(reasonOf),
    violations: [...violationsOf(invalid).keys()],
    refreshes,
    renewed: last.accessToken !== accessToken,
    signOuts: called.filter((name) => name === "SignOut").length,
    forgotten,
    device,
  }),
);
