// The form that edits a post. Who saves second sees the newer text, and keeps what they typed.

import { call, whileBusy } from "./api.js";
import { clearErrors, isTouched, readTouched, showErrors } from "./forms.js";
import { byId } from "./templates.js";
import { showTimes, zone } from "./times.js";

const form = byId("edit");

/** As a field for times wants it: on the reader's clock. */
const onClock = (moment) => new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

const when = byId("when");

function readThread() {
  return [...form.querySelectorAll("[data-part]")].map((part) => ({
    caption: part.querySelector("textarea").value,
    delay_minutes: Number(part.querySelector("input").value),
    media_ids: JSON.parse(part.dataset.media),
  }));
}

function readEdit() {
  const { settings, ...body } = readTouched(form);
  if (isTouched(when) && when.value) Object.assign(body, { publish_at: when.value, timezone: zone });
  if ([...form.querySelectorAll("[data-part] textarea, [data-part] input")].some(isTouched)) body.thread = readThread();
  if (settings) body.settings = { [form.dataset.channel]: settings };
  return body;
}

/** Somebody else has saved meanwhile: shows what they wrote; another press saves over it. */
async function showNewer() {
  const newer = await call("GET", form.dataset.path);
  const box = byId("newer");
  box.querySelector(".content").textContent = newer.content || "(without text)";
  box.querySelector("time").dateTime = newer.publish_at;
  showTimes(box);
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  form.elements.revision.value = newer.revision;
}

function save() {
  clearErrors(form);
  const tell = (error) => showErrors(form, error);
  const work = async () => {
    await call("PATCH", form.dataset.path, readEdit());
    location.reload();
  };
  whileBusy(form.querySelector("button"), work, (error) => {
    if (error.code === "changed_meanwhile") showNewer().catch(tell);
    else tell(error);
  });
}

if (form) {
  when.value = when.defaultValue = onClock(new Date(when.dataset.at));
  byId("zone-of-time").textContent = `in ${zone}`;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
}
