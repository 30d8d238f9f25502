// A job's page follows its events: one stream while the page is seen, else a look now and then; so it
// does too while Postiz has posts of a job whose events have ended.

import { byId } from "./templates.js";
import { showTimes } from "./times.js";

const PAUSE = 1500; // between two looks at the page, however many events come
const POLL = 10_000; // where no stream is free
const TELL = 20_000; // screen readers are told so often at most
const live = () => byId("live");
const how = byId("how");
const told = byId("told");
let stream; // of the page that is seen: its AbortController
let timer = 0;
let retry = 0;
let lookedAt = 0;
let toldAt = 0;

/** Whoever types, or is about to press, is not disturbed. */
function isBusy() {
  const active = document.activeElement;
  return Boolean(active?.matches("input, textarea, select") || live().querySelector("button[disabled]"));
}

function tell() {
  const { done } = live().dataset;
  const over = "over" in live().dataset;
  if (!over && Date.now() - toldAt < TELL) return;
  toldAt = Date.now();
  const words = live().querySelector(".calendar")?.textContent ?? `${over ? "The job has ended: " : ""}${done} % done.`;
  if (told.textContent !== words) told.textContent = words;
}

/** The same page, read again: what is live of it takes the place of what is there. */
async function look() {
  timer = 0;
  lookedAt = Date.now();
  if (isBusy()) return plan();
  let newer;
  let words = "Pressroom does not answer: this page may be old.";
  try {
    const reply = await fetch(location.href);
    if (reply.redirected) words = "You are no longer signed in: load this page anew.";
    if (!reply.ok || reply.redirected) throw new Error(String(reply.status));
    newer = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("live");
  } catch {
    how.textContent = words;
    return;
  }
  if (!newer || isBusy()) return plan();
  const focused = document.activeElement?.closest("[data-call]")?.dataset.call;
  const scrolled = live().querySelector(".wide")?.scrollLeft ?? 0;
  live().replaceWith(newer);
  showTimes(newer);
  const table = newer.querySelector(".wide");
  if (table) table.scrollLeft = scrolled;
  if (focused) [...newer.querySelectorAll("[data-call]")].find((each) => each.dataset.call === focused)?.focus();
  tell();
  if ("over" in newer.dataset) stop();
}

function plan() {
  timer ||= setTimeout(look, Math.max(PAUSE / 5, lookedAt + PAUSE - Date.now()));
}

function stop() {
  stream?.abort();
  stream = null;
  clearTimeout(retry);
}

/** Reads until the stream ends; each event is a reason to look, and the last one to stop. */
async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("id: ")) live().dataset.place = line.slice(4);
      else if (line.startsWith("event: ")) plan();
    }
  }
}

async function follow() {
  clearTimeout(retry);
  if (document.hidden || stream || "over" in live().dataset) return;
  if ("waits" in live().dataset) {
    retry = setTimeout(() => (plan(), follow()), POLL); // its events have ended
    return;
  }
  const own = new AbortController();
  stream = own;
  const { events, place } = live().dataset;
  let wait = 2000;
  try {
    const headers = place ? { "Last-Event-ID": place } : {};
    const reply = await fetch(events, { headers, signal: own.signal });
    if (reply.ok) {
      how.textContent = "This page follows the job by itself.";
      await read(reply.body);
    } else {
      wait = Math.max(POLL, 1000 * Number(reply.headers.get("Retry-After") || 0));
      how.textContent = `This page looks again every ${wait / 1000} seconds.`;
      plan();
    }
  } catch {
    if (own.signal.aborted) return;
    wait = POLL;
  }
  if (stream !== own) return;
  stream = null;
  plan();
  retry = setTimeout(follow, wait);
}

addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else {
    plan();
    follow();
  }
});
addEventListener("pagehide", stop);
addEventListener("pageshow", follow);
