// Planning and publishing of a draft. Publishing is sent under one key until it is answered, so that
// neither a double click nor a lost reply nor a reload publishes twice.

import { call } from "./api.js";

const BULK = "/api/v1/postiz/bulk-publish";
const TRIES = 6;

const rest = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function askPlan(body, profile) {
  return (await call("POST", `${BULK}?dry_run=true`, body, { profile })).plan;
}

/** Whether nobody knows if it was done. */
const isUnclear = ({ status, code }) => status === 0 || status >= 500 || status === 429 || code === "still_under_way";

/** The job; throws ApiError, `isUnclear` where it has to be asked again. */
export async function publish({ body, key, skip, tag }, profile, onBreak) {
  for (let tries = 1; ; tries += 1) {
    try {
      const address = `${BULK}?skip_invalid=${skip}&times_tag=${tag}`;
      return (await call("POST", address, body, { profile, headers: { "Idempotency-Key": key } })).job;
    } catch (error) {
      error.isUnclear = isUnclear(error) || error.status === 401;
      if (!isUnclear(error) || tries >= TRIES) throw error;
      onBreak(error);
      await rest(500 * 2 ** tries);
    }
  }
}

/** Media for those that are given as addresses; sets their ids, or why there are none. */
export async function fetchAddresses(media, profile) {
  for (let start = 0; start < media.length; start += 1000) {
    const batch = media.slice(start, start + 1000);
    const items = batch.map(({ url }) => ({ url }));
    const answer = await call("POST", "/api/v1/postiz/bulk-upload", { items }, { profile });
    for (const { index, ok, media: made, error } of answer.items) {
      Object.assign(batch[index], ok ? { id: made.id, state: "done", words: "is being fetched" } : { state: "failed", words: error.message });
    }
  }
}
