/**
 * Where a browser keeps by which it is known to have signed in before. Such a token lets nobody in: it keeps strangers who
 * guess a person's password from making that person wait.
 */

/** The newest token of each account that has signed in on this device. */
export interface DeviceTokens {
  get(email: string): Promise<string>;
  set(email: string, token: string): Promise<void>;
}

const PREFIX = "preceptor.device.";

/**
 * Keeps tokens in `localStorage`, under a hash of the address, so that who looks into a shared browser reads none. Where there
 * is no such storage, or it is full or forbidden, they live as long as the page.
 */
export class BrowserDevices implements DeviceTokens {
  readonly #page = new Map<string, string>();

  async get(email: string): Promise<string> {
    const key = await keyOf(email);
    try {
      return storage()?.getItem(key) ?? this.#page.get(key) ?? "";
    } catch {
      return this.#page.get(key) ?? "";
    }
  }

  async set(email: string, token: string): Promise<void> {
    const key = await keyOf(email);
    this.#page.set(key, token);
    try {
      storage()?.setItem(key, token);
    } catch {
      // Known for as long as the page lives.
    }
  }
}

/** Reading the property itself throws where a page may have no storage. */
function storage(): Storage | undefined {
  return globalThis.localStorage;
}

async function keyOf(email: string): Promise<string> {
  const address = new TextEncoder().encode(email.trim().toLowerCase());
  // Only secure pages can hash; in others, as on a developer's own machine, the key is the address itself.
  const hash = await globalThis.crypto?.subtle?.digest("SHA-256", address);
  const key = hash ? new Uint8Array(hash) : address;
  return PREFIX + Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
