// Calls of the API as the person who is signed in, and the page's status line.

const csrf = document.querySelector('meta[name="csrf"]');
const notice = document.getElementById("notice");

/** Words in the page's status line, which screen readers read out. */
export function say(words, wrong = false) {
  notice.textContent = words;
  notice.classList.toggle("wrong", wrong);
  notice.hidden = !words;
  if (wrong) notice.scrollIntoView({ block: "nearest" });
}

/** The same, of what went wrong. */
export const warn = (words) => say(words, true);

/** The button, if there is one, is not pressed twice; `fail(error)` tells what went wrong. */
export async function whileBusy(button, work, fail = ({ message }) => warn(message)) {
  if (button) button.disabled = true;
  try {
    await work();
  } catch (error) {
    fail(error);
  } finally {
    if (button) {
      button.disabled = false;
      if (document.activeElement === document.body) button.focus?.(); // it lost it when it was disabled
    }
  }
}

/** An answer that refuses, in words for people. `fields`: [{field, message}], `status` 0: no answer. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", fields = [] } = {}) {
    super(message);
    Object.assign(this, { status, code, fields });
  }
}

export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** An Idempotency-Key: with the same one, a call that is repeated is not done again. */
export const newId = () => hex(crypto.getRandomValues(new Uint8Array(16)));

const keys = {};

/** Of these words one key for as long as the page is shown: who presses again after a lost answer repeats the call. */
export const keyOf = (...words) => (keys[words] ??= newId());

/** Headers of every call; `profile`: the one that it is for. */
export function callHeaders(profile) {
  return { "X-CSRF-Token": csrf.content, ...(profile ? { "X-Profile-Id": profile } : {}) };
}

/** The answer's JSON. `body`: an object, or undefined for none. Throws ApiError. */
export async function call(method, path, body, { profile = "", headers = {}, signal } = {}) {
  const sent = { ...callHeaders(profile), ...headers };
  const text = JSON.stringify(body);
  if (text) sent["Content-Type"] = "application/json";
  let reply;
  try {
    reply = await fetch(path, { method, headers: sent, body: text, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Pressroom does not answer. Look at your connection, and try again.");
  }
  return readReply(reply);
}

/** Who has signed in anew, in another tab, goes on here: but not as somebody else. */
async function renew() {
  const { user, signed_in_key: key, csrf_token: token } = await (await fetch("/api/v1/session")).json();
  if (csrf.dataset.person !== (user ? `user ${user.id}` : `key ${key?.id}`)) throw new ApiError("Somebody else has signed in in this browser. Load this page anew.", { status: 403 });
  csrf.content = token;
  throw new ApiError("You have signed in anew. Try again.");
}

/** The JSON of a reply to `fetch`; throws ApiError where it is a refusal. */
export async function readReply(reply) {
  const text = await reply.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    if (reply.ok) throw new ApiError("The answer could not be read. Try again.", reply);
  }
  if (reply.ok) return answer;
  if (reply.status === 401) {
    throw new ApiError("You are no longer signed in. Sign in again in another tab, then go on here.", reply);
  }
  if (answer.code === "csrf") await renew();
  const words = answer.detail || answer.title || `The server answered ${reply.status}. Try again.`;
  throw new ApiError(words, { status: reply.status, code: answer.code, fields: answer.errors ?? [] });
}
