// Of the settings pages: what is shown once, Postiz settings tried before they are saved, the next
// fire times of a cron expression.

import { call, say, whileBusy } from "./api.js";
import { readForm, showErrors } from "./forms.js";
import { byId, copyOf, textElement as make } from "./templates.js";
import { zone } from "./times.js";

addEventListener("pressroom:done", (event) => {
  const form = event.target;
  const name = form.dataset.once;
  if (!name) return;
  event.preventDefault();
  const value = event.detail[name];
  const words = value.startsWith("/") ? location.origin + value : value;
  const box = copyOf("once");
  const [told, secret, , copy, done] = box.children;
  told.textContent = form.dataset.onceWords;
  secret.textContent = words;
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(words);
      say("Copied.");
    } catch {
      getSelection().selectAllChildren(secret);
      say("Copy the marked text.");
    }
  };
  done.onclick = () => location.reload();
  form.replaceWith(box);
  box.focus();
});

const found = byId("found");

function showFound(reply) {
  const names = (reply.integrations ?? []).map((each) => `${each.name} (${each.identifier})`);
  const words = reply.ok ? `It works: ${names.length} channels${names.length ? ": " : ""}${names.join(", ")}.` : reply.detail;
  found.replaceChildren(make("p", words, { className: reply.ok ? "well" : "state wrong" }));
}

/** Whether the credentials work; shows what was found. Throws ApiError for an address that is refused. */
async function tryOut(own, credentials) {
  say("Postiz is asked…");
  const reply = await call("POST", `${own}/validate`, credentials);
  say("");
  showFound(reply);
  return reply;
}

function showEffect({ in_effect: effect }) {
  if (!effect) return;
  const { confirmed, processes, milliseconds } = effect;
  const words = confirmed === processes
    ? `everywhere in ${milliseconds} ms (${processes} processes).`
    : `in ${confirmed} of ${processes} processes in ${milliseconds} ms; the others use the new settings at their next call.`;
  found.append(make("p", `Saved. In effect ${words}`, { className: "well" }));
}

async function savePostiz(own, postiz) {
  const saved = await call("PATCH", own, { tts_settings: { postiz } });
  showEffect(saved);
  byId("saved").hidden = false;
}

const form = document.querySelector("form[data-postiz]");

const busy = (button, work) => whileBusy(button, work, (error) => showErrors(form, error));

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(form.querySelector("button.main"), async () => {
    const { untried, ...postiz } = readForm(form);
    const reply = await tryOut(form.dataset.postiz, postiz);
    if (!reply.ok && !untried) {
      const fields = [{ field: "api_key", message: reply.detail }];
      return showErrors(form, Object.assign(new Error("It was not saved."), { fields }));
    }
    await savePostiz(form.dataset.postiz, postiz);
    if (form.dataset.next) return location.assign(form.dataset.next);
    form.elements.api_key.value = "";
  });
});

addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { trySaved, dropPostiz, sandbox, key } = button.dataset;
  if ("try" in button.dataset && form.reportValidity()) {
    const { untried, ...postiz } = readForm(form);
    busy(button, () => tryOut(form.dataset.postiz, postiz));
  }
  if (sandbox) {
    form.elements.api_url.value = sandbox;
    form.elements.api_key.value = key;
    form.requestSubmit();
  }
  if (trySaved) busy(button, () => tryOut(trySaved, {}));
  if (dropPostiz && confirm("Forget this key, and use the settings of the environment?"))
    busy(button, () => savePostiz(dropPostiz, null));
});

const cron = document.querySelector("[data-fires]");
if (cron) {
  const { timezone } = cron.form.elements;
  const shown = cron.form.querySelector("[data-fire-times]");
  if ("ownZone" in timezone.dataset) timezone.value = zone;
  let waiting, asking;
  const preview = async () => {
    asking?.abort();
    asking = new AbortController();
    const query = new URLSearchParams({ cron: cron.value, timezone: timezone.value });
    try {
      const reply = await call("GET", `/api/v1/schedules/fire-times?${query}`, undefined, { signal: asking.signal });
      const words = new Intl.DateTimeFormat(undefined, { timeZone: timezone.value, dateStyle: "full", timeStyle: "short" });
      const list = make("ol", "");
      for (const each of reply.fire_times) list.append(make("li", words.format(new Date(each))));
      shown.replaceChildren(make("p", `The next times, in ${timezone.value}:`), list);
    } catch (error) {
      if (error.name === "AbortError") return;
      const reason = error.fields?.map((each) => `${each.field} ${each.message}`).join("; ");
      shown.replaceChildren(make("p", reason || error.message, { className: "field-error" }));
    }
  };
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(preview, 250);
  };
  cron.addEventListener("input", later);
  timezone.addEventListener("input", later);
  preview();
}
