// Fields of forms that need the reader's zone, and the form that moves all posts that match.

import { call, newId, whileBusy } from "./api.js";
import { confirmPlan } from "./buttons.js";
import { zone } from "./times.js";

for (const field of document.querySelectorAll("input[data-zone]")) {
  if (!field.dataset.zone) field.value = zone;
}

/** The Idempotency-Key of a move: pressed again after a lost answer, it moves nothing twice. */
const keys = new Map();

function shift(form) {
  const minutes = Number(form.elements.number.value) * Number(form.elements.unit.value);
  const body = { ...JSON.parse(form.dataset.shift), shift_minutes: minutes };
  const path = "/api/v1/posts/reschedule";
  const what = JSON.stringify(body);
  if (!keys.has(what)) keys.set(what, newId());
  whileBusy(null, async () => {
    if (!(await confirmPlan("POST", path, body))) return;
    await call("POST", path, body, { headers: { "Idempotency-Key": keys.get(what) } });
    window.location.reload();
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-shift]");
  if (!form) return;
  event.preventDefault();
  shift(form);
});
