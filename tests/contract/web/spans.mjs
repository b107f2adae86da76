// Converts places in texts with the TypeScript client, as a browser counts them.
//
//     node spans.mjs < places.jsonl > passages.jsonl
//
// A line in: {"text": "...", "start": 0, "end": 3}, in units of UTF-16.
// A line out: {"start": 0, "end": 2, "quote": "...", "units": [0, 3]}, or {"error": "RangeError"}.

import { createInterface } from "node:readline";
import { passageOf, unitsOf } from "../../../clients/web/dist/index.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { text, start, end } = JSON.parse(line);
  try {
    const passage = passageOf(text, start, end);
    console.log(JSON.stringify({ ...passage, units: unitsOf(text, passage) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.name }));
  }
}
