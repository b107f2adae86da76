// Verifies a token by the keys at an address, and prints who it is of.
//
//     node verify.mjs KEYS_URL TOKEN ISSUER AUDIENCE

import { createRemoteJWKSet, jwtVerify } from "jose";

const [url, token, issuer, audience] = process.argv.slice(2);
const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(url)), { issuer, audience, typ: "at+jwt" });
console.log(payload.sub);
