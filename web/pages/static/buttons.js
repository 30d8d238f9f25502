// `<button data-call="POST /path">` calls the API, and shows the page anew.
// data-body: JSON to send; data-ask: a question before; data-profile: for which profile;
// data-dry: first asks what would be changed; data-next: where to go afterwards.

import { call, keyOf, say, whileBusy } from "./api.js";

/** How many posts a call for many would change, in words. */
function describe(plan) {
  const refused = plan.refused.map((each) => `${each.count}: ${each.message}`);
  return [`${plan.would_change} of ${plan.matched} posts will be changed.`, ...refused].join("\n");
}

/** Whether the reader wants what a call for many would change. */
async function confirmPlan(method, path, body, options) {
  const plan = await call(method, `${path}?dry_run=true`, body, options);
  if (plan.would_change > 0) return confirm(describe(plan));
  say(["Nothing would be changed.", ...plan.refused.map((each) => each.message)].join(" "));
  return false;
}

/** `button`: what has such a `dataset`. */
export async function press(button) {
  const { call: wanted, ask, profile, next } = button.dataset;
  const [method, path] = wanted.split(" ");
  const body = button.dataset.body ? JSON.parse(button.dataset.body) : undefined;
  if (ask && !confirm(ask)) return;
  await whileBusy(button, async () => {
    if ("dry" in button.dataset && !(await confirmPlan(method, path, body, { profile }))) return;
    const headers = { "Idempotency-Key": keyOf(wanted, button.dataset.body) };
    await call(method, path, body, { profile, headers });
    if (next) location.assign(next);
    else location.reload();
  });
}

addEventListener("click", (event) => {
  const button = event.target.closest("button[data-call]");
  if (button) press(button);
});
