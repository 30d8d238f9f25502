// Fields of forms that need the reader's zone, and the form that moves all posts that match.

import { call, keyOf, whileBusy } from "./api.js";
import { confirmPlan } from "./buttons.js";
import { zone } from "./times.js";

for (const field of document.querySelectorAll("input[data-zone]")) {
  if (!field.dataset.zone) field.value = zone;
}

function shift(form) {
  const minutes = Math.round(form.elements.number.value * form.elements.unit.value);
  const body = { ...JSON.parse(form.dataset.shift), shift_minutes: minutes };
  const path = "/api/v1/posts/reschedule";
  whileBusy(null, async () => {
    if (!(await confirmPlan("POST", path, body))) return;
    await call("POST", path, body, { headers: { "Idempotency-Key": keyOf(minutes) } });
    location.reload();
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-shift]");
  if (!form) return;
  event.preventDefault();
  shift(form);
});
