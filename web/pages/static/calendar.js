// The calendar: in the reader's zone unless another is named; posts are moved by dragging or by a form.

import { call, say } from "./api.js";
import { zone } from "./times.js";

const address = new URL(window.location.href);
if (!address.searchParams.get("tz") && zone !== "UTC") {
  address.searchParams.set("tz", zone);
  window.location.replace(address);
}

const days = document.querySelector(".days");
const dialog = document.getElementById("move");
let moved = null;

/** The same day's page again, with the post in sight; `at`: on the clock of the calendar's zone. */
async function move(entry, at) {
  const { post, revision } = entry.dataset;
  const body = { publish_at: at, timezone: days.dataset.zone, revision: Number(revision) };
  await call("PATCH", `/api/v1/posts/${post}`, body);
  window.location.hash = `post-${post}`;
  window.location.reload();
}

function explain(error) {
  return error.code === "changed_meanwhile"
    ? "Somebody else has changed this post meanwhile. Load the page again to see it as it is now."
    : [error.message, ...(error.fields ?? []).map((each) => each.message)].join(" ");
}

days.addEventListener("dragstart", (event) => {
  moved = event.target.closest?.("[data-post]");
  if (!moved) return;
  event.dataTransfer.setData("text/plain", moved.dataset.post);
  event.dataTransfer.effectAllowed = "move";
});

days.addEventListener("dragover", (event) => {
  const day = event.target.closest(".day");
  if (!moved || !day) return;
  event.preventDefault();
  for (const each of days.querySelectorAll(".target")) if (each !== day) each.classList.remove("target");
  day.classList.add("target");
});

days.addEventListener("dragend", () => {
  for (const each of days.querySelectorAll(".target")) each.classList.remove("target");
});

days.addEventListener("drop", async (event) => {
  const day = event.target.closest(".day");
  if (!moved || !day) return;
  event.preventDefault();
  const entry = moved;
  moved = null;
  const [before, time] = entry.dataset.at.split("T");
  if (before === day.dataset.day) return;
  try {
    await move(entry, `${day.dataset.day}T${time}`);
  } catch (error) {
    say(explain(error), { wrong: true });
  }
});

days.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-move]");
  if (!button) return;
  const entry = button.closest("[data-post]");
  const [day, time] = entry.dataset.at.split("T");
  const { elements } = dialog.querySelector("form");
  elements.day.value = day;
  elements.time.value = time.slice(0, 5);
  document.getElementById("what").textContent = entry.querySelector("a").textContent;
  document.getElementById("move-wrong").hidden = true;
  dialog.entry = entry;
  dialog.showModal();
});

dialog?.addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "move") return;
  event.preventDefault();
  const { day, time } = event.target.elements;
  const wrong = document.getElementById("move-wrong");
  try {
    await move(dialog.entry, `${day.value}T${time.value}`);
  } catch (error) {
    wrong.textContent = explain(error);
    wrong.hidden = false;
  }
});
