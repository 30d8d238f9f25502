// A file by tus 1.0.0: in pieces, and after a break from where the server says it is.

import { ApiError, callHeaders, readReply } from "./api.js";

const UPLOADS = "/api/v1/uploads";
const BYTES = "application/offset+octet-stream";
/** Of pieces, in bytes: small on a poor line, so that each moves the bar and little is sent again. */
const SMALLEST = 256 * 1024;
const LARGEST = 8 * 1024 ** 2;
/** A piece that takes longer is followed by smaller ones, and this many times longer is a broken line. */
const USUAL = 1500;
const PATIENCE = 40;
/** Tries without progress before it stops and says so. */
const TRIES = 8;

/** Ends early when the browser says that it is online again. */
function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    addEventListener("online", resolve, { once: true });
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

/** Whether the same request may succeed later. */
const isPassing = (status) => [0, 409, 423, 429].includes(status) || (status >= 500 && status !== 507);

/** The answer's headers. */
async function ask(method, address, headers, { profile, signal }, body) {
  const sent = { ...callHeaders(profile), "Tus-Resumable": "1.0.0", ...headers };
  const either = AbortSignal.any([signal, AbortSignal.timeout(USUAL * PATIENCE)]);
  let reply;
  try {
    reply = await fetch(address, { method, headers: sent, body, signal: either });
  } catch {
    signal.throwIfAborted();
    throw new ApiError("Pressroom does not answer.");
  }
  if (!reply.ok) await readReply(reply);
  return reply.headers;
}

const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

const placeOf = (headers) => [Number(headers.get("Upload-Offset")), headers.get("Pressroom-Media-Id")];

/** The offset to go on at, and the medium where it is one already. */
async function findPlace(file, upload, options) {
  if (upload.address) {
    try {
      return placeOf(await ask("HEAD", upload.address, {}, options));
    } catch (error) {
      if (![404, 410].includes(error.status)) throw error; // else it has expired: begin anew
    }
  }
  const named = { "Upload-Length": String(file.size), "Upload-Metadata": `filename ${encode(file.name)}` };
  upload.address = (await ask("POST", UPLOADS, named, options)).get("Location");
  return [0, null];
}

/**
 * The id of the medium that the file becomes. `upload.address` is kept for a later try. Throws ApiError.
 */
export async function sendFile(file, upload, options) {
  let tries = 0;
  let size = SMALLEST;
  for (;;) {
    try {
      let [offset, medium] = await findPlace(file, upload, options);
      while (!medium) {
        options.onSent(offset);
        const begun = Date.now();
        const headers = { "Upload-Offset": String(offset), "Content-Type": BYTES };
        [offset, medium] = placeOf(await ask("PATCH", upload.address, headers, options, file.slice(offset, offset + size)));
        size = Date.now() - begun < USUAL ? Math.min(LARGEST, size * 2) : Math.max(SMALLEST, size / 2);
        tries = 0;
      }
      options.onSent(file.size);
      return medium;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isPassing(error.status) || ++tries > TRIES) throw error;
      size = SMALLEST;
      options.onBreak(error);
      await rest(Math.min(30_000, 500 * 2 ** tries), options.signal);
    }
  }
}
