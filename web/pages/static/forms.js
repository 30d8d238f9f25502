// `<form method="dialog" data-call="PATCH /path">` sends its fields to the API as JSON.
// `method="dialog"`: without this script it sends nothing, above all nothing into the address.
// On the form: data-profile and data-ask as of buttons; data-next: where to go afterwards,
//   with `{name}` for a field of the answer; without it the page is shown anew. A listener of
//   `pressroom:done` gets the answer, and prevents both with preventDefault.
// On a field: its name says where its value goes (`a.b` is in an object); data-type is one of
//   number, json, list (a word per line or comma), nullable (empty: null).
//   An empty field is left out, but for nullable ones and those with data-keep. Checkboxes of one name
//   make a list where they have values (left out with data-optional where none is chosen), and true or
//   false where they have none.

import { ApiError, call, keyOf, newId, say, warn, whileBusy } from "./api.js";
import { textElement } from "./templates.js";

function readValue(field) {
  const text = field.value;
  switch (field.dataset.type) {
    case "number":
      return Number(text);
    case "json":
      try {
        return JSON.parse(text);
      } catch {
        throw new ApiError("This is not JSON", { fields: [{ field: field.name, message: "is not JSON" }] });
      }
    case "list":
      return text.split(/[,\n]/).map((each) => each.trim()).filter(Boolean);
    default:
      return text;
  }
}

/** `a.b` is in an object. */
export function put(body, name, value) {
  const parts = name.split(".");
  const last = parts.pop();
  let place = body;
  for (const part of parts) place = place[part] ??= {};
  place[last] = value;
}

function putCheckbox(body, field, all) {
  if (!field.hasAttribute("value")) return void put(body, field.name, field.checked);
  const chosen = all.filter((each) => each.name === field.name && each.checked);
  if (chosen.length || !("optional" in field.dataset)) put(body, field.name, chosen.map((each) => each.value));
}

/** What a form says, as the object that is sent. */
export function readForm(form) {
  const body = {};
  const fields = [...form.elements].filter((each) => each.name && !each.disabled);
  for (const field of fields) {
    if (field.type === "checkbox") putCheckbox(body, field, fields);
    else if (field.value !== "" || "keep" in field.dataset) put(body, field.name, readValue(field));
    else if (field.dataset.type === "nullable") put(body, field.name, null);
  }
  return body;
}

export function isTouched({ options, type, value, defaultValue, checked, defaultChecked }) {
  if (options) return [...options].some((each) => each.selected !== each.defaultSelected);
  return type === "hidden" || checked !== defaultChecked || (type !== "checkbox" && value !== defaultValue);
}

/** Of an edit only what was touched, and what is hidden, as the revision that one saw: the rest stays
 * as it is, whoever changed it meanwhile. */
export function readTouched(form) {
  const body = readForm(form);
  const touched = [...form.elements].filter(isTouched).map((each) => each.name.split(".")[0]);
  return Object.fromEntries(Object.entries(body).filter(([name]) => touched.includes(name)));
}

export function clearErrors(form) {
  for (const each of form.querySelectorAll(".field-error")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) {
    each.removeAttribute("aria-invalid");
    each.removeAttribute("aria-describedby");
  }
}

/** Shows each fault at its field; what has none is said in the status line. */
export function showErrors(form, error) {
  const others = [];
  let first;
  for (const { field, message } of error.fields ?? []) {
    const input = [...form.elements].find((each) => [each.name, each.dataset.field].includes(field));
    if (!input) {
      others.push(`${field}: ${message}`);
      continue;
    }
    const words = textElement("small", message, { className: "field-error", id: `error-${newId()}` });
    input.after(words);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", words.id);
    first ??= input;
  }
  warn([error.message, ...others].join(" "));
  first?.focus();
}

function finish(form, answer) {
  const done = new CustomEvent("pressroom:done", { bubbles: true, cancelable: true, detail: answer });
  if (!form.dispatchEvent(done)) return;
  const next = form.dataset.next?.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer[name]));
  if (next) location.assign(next);
  else location.reload();
}

async function send(form) {
  const { call: wanted, ask, once, profile } = form.dataset;
  const [method, path] = wanted.split(" ");
  clearErrors(form);
  say("");
  if (ask && !confirm(ask)) return;
  const pressed = form.querySelector("button[type=submit], button:not([type])");
  const work = async () => {
    const body = method === "PATCH" ? readTouched(form) : readForm(form);
    // a secret is shown once: who asks again gets another one
    const headers = once ? {} : { "Idempotency-Key": keyOf(wanted, JSON.stringify(body)) };
    finish(form, await call(method, path, body, { profile, headers }));
  };
  await whileBusy(pressed, work, (error) => showErrors(form, error));
}

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.call) return;
  event.preventDefault();
  send(form);
});
