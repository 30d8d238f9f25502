// The calendar: in the reader's zone unless another is named; posts are moved by dragging or by a form.

import { call, warn, whileBusy } from "./api.js";
import { byId } from "./templates.js";
import { zone } from "./times.js";

const address = new URL(location.href);
if (!address.searchParams.get("tz") && zone !== "UTC") {
  address.searchParams.set("tz", zone);
  location.replace(address);
}

const days = document.querySelector(".days");
const dialog = byId("move");
/** Pixels: of a press that is no drag yet, and of the window's edges where the page goes on. */
const SLOP = 6;
const EDGE = 60;
let dropped = 0;

/** The same day's page again, with the post in sight; `at`: on the clock of the calendar's zone. */
async function move(entry, at) {
  const { post, revision } = entry.dataset;
  const body = { publish_at: at, timezone: days.dataset.zone, revision: Number(revision) };
  await call("PATCH", `/api/v1/posts/${post}`, body);
  location.hash = `post-${post}`;
  location.reload();
}

const explain = (error) => [error.message, ...(error.fields ?? []).map((each) => each.message)].join(" ");

/** Of a drag: {entry, pointerId, x, y, day, moving, left}. By mouse from anywhere on an entry; by finger or pen from its
 * button, so that the page still scrolls under them. */
let held;

function mark(day) {
  held.day?.classList.remove("target");
  held.day = day;
  day?.classList.add("target");
}

function letGo() {
  if (!held) return;
  mark(null);
  days.classList.remove("dragging");
  held = null;
}

/** Near the window's edge the page goes on under a pointer that rests there. */
function scrollOn() {
  if (!held?.moving) return;
  if (held.y < EDGE || held.y > innerHeight - EDGE) scrollBy(0, held.y < EDGE ? -8 : 8);
  mark(document.elementFromPoint(held.x, held.y)?.closest(".day"));
  requestAnimationFrame(scrollOn);
}

days.addEventListener("pointerdown", (event) => {
  const { target, pointerType, pointerId, clientX: x, clientY: y, button } = event;
  const entry = target.closest("[data-post]");
  if (held || button || !entry || !(pointerType === "mouse" || target.closest("[data-move]"))) return;
  held = { entry, pointerId, x, y, day: null };
});

addEventListener("pointermove", ({ pointerId, clientX, clientY }) => {
  if (pointerId !== held?.pointerId) return;
  const { moving, x, y } = held;
  if (!moving && Math.hypot(clientX - x, clientY - y) <= SLOP) return;
  Object.assign(held, { x: clientX, y: clientY, moving: true });
  if (moving) return;
  days.classList.add("dragging");
  scrollOn();
});

addEventListener("pointerup", ({ pointerId, clientX, clientY }) => {
  if (pointerId !== held?.pointerId) return;
  const { entry, moving, left } = held;
  const to = document.elementFromPoint(clientX, clientY)?.closest(".day")?.dataset.day;
  letGo();
  const [before, time] = entry.dataset.at.split("T");
  if (!moving) return;
  dropped = Date.now();
  if (left || !to || to === before) return;
  whileBusy(null, () => move(entry, `${to}T${time}`), (error) => warn(explain(error)));
});

addEventListener("pointercancel", letGo);
addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && held?.moving) held.left = true;
});
/** What ends a drag is no click on the link or button that it began on. */
days.addEventListener("click", (event) => {
  if (Date.now() - dropped > 300) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

days.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-move]");
  if (!button) return;
  const entry = button.closest("[data-post]");
  const [day, time] = entry.dataset.at.split("T");
  const { elements } = dialog.querySelector("form");
  elements.day.value = day;
  elements.time.value = time.slice(0, 5);
  byId("what").textContent = entry.querySelector("a").textContent;
  byId("move-wrong").hidden = true;
  dialog.entry = entry;
  dialog.showModal();
});

dialog?.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "move") return;
  event.preventDefault();
  const { day, time } = event.target.elements;
  const wrong = byId("move-wrong");
  whileBusy(null, () => move(dialog.entry, `${day.value}T${time.value}`), (error) => {
    wrong.textContent = explain(error);
    wrong.hidden = false;
  });
});
