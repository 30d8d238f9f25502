// The form that edits a post. Who saves second sees the newer text, and keeps what they typed.

import { ApiError, call, whileBusy } from "./api.js";
import { readForm, showErrors } from "./forms.js";
import { zone } from "./times.js";

const form = document.getElementById("edit");
const pad = (number) => String(number).padStart(2, "0");

/** As a field for times wants it: on the reader's clock. */
function onClock(moment) {
  const day = [moment.getFullYear(), pad(moment.getMonth() + 1), pad(moment.getDate())].join("-");
  return `${day}T${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
}

const when = document.getElementById("when");
const settings = document.getElementById("settings");

function readThread() {
  return [...form.querySelectorAll("[data-part]")].map((part) => ({
    caption: part.querySelector("textarea").value,
    delay_minutes: Number(part.querySelector("input").value),
    media_ids: JSON.parse(part.dataset.media),
  }));
}

function isTouched(field) {
  return field.value !== field.defaultValue;
}

/** Only what was changed: the rest stays as it is, whoever changed it. */
function readEdit() {
  const body = readForm(form);
  if (!isTouched(form.elements.caption)) delete body.caption;
  if (isTouched(when) && when.value) Object.assign(body, { publish_at: when.value, timezone: zone });
  if ([...form.querySelectorAll("[data-part] textarea, [data-part] input")].some(isTouched)) {
    body.thread = readThread();
  }
  if (isTouched(settings)) {
    try {
      body.settings = { [form.dataset.channel]: JSON.parse(settings.value) };
    } catch {
      const fields = [{ field: "settings", message: "This is not JSON" }];
      throw new ApiError("Nothing was saved.", { fields });
    }
  }
  return body;
}

/** Somebody else has saved meanwhile: shows what they wrote; another press saves over it. */
async function showNewer() {
  const newer = await call("GET", form.dataset.path);
  const box = document.getElementById("newer");
  const words = document.createElement("p");
  words.textContent =
    "Somebody else has changed this post meanwhile, and nothing of yours was saved. Its text is now:";
  const text = document.createElement("p");
  text.className = "content";
  text.textContent = newer.content || "(without text)";
  const hint = document.createElement("p");
  hint.textContent = `It is due ${new Date(newer.publish_at).toLocaleString()}. What you typed is still below: change it, and save again to replace theirs.`;
  box.replaceChildren(words, text, hint);
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  form.elements.revision.value = newer.revision;
}

function save() {
  for (const each of form.querySelectorAll(".field-error")) each.remove();
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
  document.getElementById("zone-of-time").textContent = `in ${zone}`;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
}
