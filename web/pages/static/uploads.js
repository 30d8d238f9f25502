// The uploads of the page: two at a time, known files recognised, all of them paused and continued.

import { call, hex } from "./api.js";
import { sendFile } from "./tus.js";

const AT_ONCE = 2;
/** Larger files are not read whole only to be recognised; the server recognises them afterwards. */
const HASHED = 128 * 1024 ** 2;

async function hashOf(file) {
  if (!crypto.subtle || file.size > HASHED) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return hex(new Uint8Array(digest));
}

/**
 * A medium of a draft: {name, size, id, state, sent, address, words}. States: waiting (its file is not
 * here), queued, sending, done, failed. `changed(medium)` is called after each change.
 */
export class Uploads {
  constructor(profile, changed) {
    Object.assign(this, { profile, changed, queue: [], going: 0, held: false, idle: [] });
    this.files = new WeakMap();
    this.stop = new AbortController();
  }

  add(medium, file) {
    Object.assign(medium, { size: file.size, state: "queued", words: "" });
    this.files.set(medium, file);
    this.queue.push(medium);
    this.tell(medium);
    this.next();
  }

  get busy() {
    return this.going + this.queue.length > 0;
  }

  /** Resolves when nothing is left to send. */
  settled() {
    return this.busy ? new Promise((resolve) => this.idle.push(resolve)) : Promise.resolve();
  }

  hold() {
    this.held = true;
    this.stop.abort();
  }

  goOn() {
    this.held = false;
    this.stop = new AbortController();
    this.next();
  }

  retry(medium) {
    this.add(medium, this.files.get(medium));
  }

  has(medium) {
    return this.files.has(medium);
  }

  forget(medium) {
    this.queue = this.queue.filter((each) => each !== medium);
    medium.gone = true;
  }

  tell(medium) {
    this.changed(medium);
    if (!this.busy) for (const resolve of this.idle.splice(0)) resolve();
  }

  next() {
    while (!this.held && this.going < AT_ONCE && this.queue.length) {
      this.going += 1;
      const medium = this.queue.shift();
      this.run(medium).finally(() => {
        this.going -= 1;
        this.next();
        this.tell(medium);
      });
    }
  }

  async run(medium) {
    const { signal } = this.stop;
    try {
      await this.send(medium, signal);
    } catch (error) {
      const held = signal.aborted;
      Object.assign(medium, held ? { state: "queued", words: "paused" } : { state: "failed", words: error.message });
      if (held && !medium.gone) this.queue.unshift(medium);
    }
  }

  async send(medium, signal) {
    const file = this.files.get(medium);
    Object.assign(medium, { state: "sending", words: "" });
    this.tell(medium);
    const known = await this.find(await hashOf(file));
    if (known) return Object.assign(medium, { id: known, state: "done", sent: file.size, words: "was here already" });
    const id = await sendFile(file, medium, {
      profile: this.profile,
      signal,
      onSent: (sent) => this.changed(Object.assign(medium, { sent, words: "" })),
      onBreak: (error) => this.changed(Object.assign(medium, { words: `${error.message} It is tried again.` })),
    });
    return Object.assign(medium, { id, state: "done", words: "is here" });
  }

  async find(sha256) {
    if (!sha256) return null;
    const found = await call("GET", `/api/v1/media?sha256=${sha256}&limit=1`, undefined, { profile: this.profile });
    return found.items[0]?.id;
  }
}
