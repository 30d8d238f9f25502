// Fields of forms that need the reader's zone, and the form that moves all posts that match.

import { press } from "./buttons.js";
import { zone } from "./times.js";

for (const field of document.querySelectorAll("input[data-zone]")) {
  if (!field.dataset.zone) field.value = zone;
}

addEventListener("submit", (event) => {
  const { elements, dataset: { shift } } = event.target;
  if (!shift) return;
  event.preventDefault();
  const minutes = Math.round(elements.number.value * elements.unit.value);
  const body = JSON.stringify({ ...JSON.parse(shift), shift_minutes: minutes });
  press({ dataset: { call: "POST /api/v1/posts/reschedule", body, dry: "" } });
});
