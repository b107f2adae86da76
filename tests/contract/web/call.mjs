// Calls methods by gRPC-Web as a browser would, without generated code: the descriptors are read from a file.
//
//     node call.mjs DESCRIPTORS BASE_URL < calls.jsonl > outcomes.jsonl
//
// A line in: {"method": "preceptor.x.v1.YService/Z", "request": {...}, "headers": {...}, "timeoutMs": 1000}
// A line out: {"code": 0, "message": "", "details": [...], "response": {...}}, all in protobuf's JSON form.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const [descriptors, baseUrl] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const transport = createGrpcWebTransport({ baseUrl });

async function call({ method, request, headers, timeoutMs }) {
  const [serviceName, methodName] = method.split("/");
  const service = registry.getService(serviceName);
  const { localName, methodKind, input, output } = service.methods.find(({ name }) => name === methodName);
  const message = fromJson(input, request, { registry });
  const given = methodKind === "client_streaming" ? once(message) : message;
  try {
    const response = await createClient(service, transport)[localName](given, { headers, timeoutMs });
    return { code: 0, message: "", details: [], response: toJson(output, response, { registry }) };
  } catch (error) {
    const { code, rawMessage, details } = ConnectError.from(error);
    return { code, message: rawMessage, details: details.map(detail) };
  }
}

async function* once(message) {
  yield message;
}

function detail({ type, value }) {
  const schema = registry.getMessage(type);
  return { "@type": `type.googleapis.com/${type}`, ...toJson(schema, fromBinary(schema, value), { registry }) };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await call(JSON.parse(line))));
}
