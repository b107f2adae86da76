/**
 * Passages of a text as the contracts count them: in Unicode code points. A browser counts the units of UTF-16, of which
 * an emoji takes two; what it selects must be converted before it is sent, and what is received before it is marked.
 */

/** A passage, as `Span` in the contracts; `quote` is what the server compares with the text it has. */
export interface Passage {
  start: number;
  end: number;
  quote: string;
}

/**
 * The passage between two positions of a browser, such as `selectionStart` and `selectionEnd` of a text area with `text` in it.
 * Throws RangeError where they are no passage of the text, or would cut a character in two.
 */
export function passageOf(text: string, startUnit: number, endUnit: number): Passage {
  if (startUnit >= endUnit) throw new RangeError("a passage ends after its start");
  const start = codePointAt(text, startUnit);
  const quote = text.slice(startUnit, endUnit);
  return { start, end: codePointAt(text, endUnit), quote };
}

/** Where a passage begins and ends for a browser: `text.slice(...unitsOf(text, span))` is its text. Throws RangeError. */
export function unitsOf(text: string, span: { start: number; end: number }): [number, number] {
  return [unitAt(text, span.start), unitAt(text, span.end)];
}

/** How many code points stand before a position that a browser counts. Throws RangeError. */
export function codePointAt(text: string, unit: number): number {
  if (!Number.isInteger(unit) || unit < 0 || unit > text.length) throw new RangeError("the position is outside the text");
  if (cutsPair(text, unit)) throw new RangeError("the position is inside a character");
  let points = unit;
  for (let at = 1; at < unit; at++) if (cutsPair(text, at)) points--;
  return points;
}

/** Where a browser counts the position that has so many code points before it. Throws RangeError. */
export function unitAt(text: string, codePoint: number): number {
  if (!Number.isInteger(codePoint) || codePoint < 0) throw new RangeError("the position is outside the text");
  let unit = 0;
  for (let points = 0; points < codePoint; points++) {
    if (unit >= text.length) throw new RangeError("the position is outside the text");
    unit += cutsPair(text, unit + 1) ? 2 : 1;
  }
  return unit;
}

/** Whether a position lies between the two halves of one character. Half a character alone counts as one. */
function cutsPair(text: string, unit: number): boolean {
  return isHalf(text.charCodeAt(unit - 1), 0xd800) && isHalf(text.charCodeAt(unit), 0xdc00);
}

function isHalf(code: number, from: number): boolean {
  return code >= from && code < from + 0x400;
}
