// The list of a draft's rows: each with its files, captions, time, channels and thread.

import { countCaption } from "./captions.js";
import { put } from "./forms.js";
import { byId, copyOf, textElement } from "./templates.js";

const LOCAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/;
const WORDS = { waiting: "its file is not here: choose it again, and it goes on", queued: "waits for its turn" };
const sizeOf = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);

export const nameOf = (item) => item.media.map((each) => each.name).join(", ") || item.caption.slice(0, 40) || "(no text)";

/** Of a fault's field the input that it is about: `items.3.schedule_date` is `at`. */
const inputOf = (field) => field.replace(/^items\.\d+\./, "").replace("captions_per_platform", "captions").replace("schedule_date", "at").replace(/^settings.*/, "settings");

/** `host`: {draft, facts, count, problems, uploads, changed(), redraw(id), addFile(item)}. */
export class ItemList {
  constructor(place, host) {
    Object.assign(this, { place, host, files: new Map() });
    place.addEventListener("input", (event) => this.write(event.target));
    place.addEventListener("click", (event) => event.target.dataset.do && this.act(event.target));
  }

  draw(indexes) {
    this.files.clear();
    this.place.replaceChildren(...indexes.map((index) => this.card(index)));
  }

  itemAt(element) {
    const index = Number(element.closest(".item").dataset.index);
    return [this.host.draft.items[index], index];
  }

  channelsOf(item) {
    return this.host.facts.channels.filter((each) => (item.channels ?? this.host.draft.channels).includes(each.id));
  }

  write(input) {
    const [item] = this.itemAt(input);
    if (input.dataset.bind) put(item, input.dataset.bind, input.value);
    if (input.dataset.channel) {
      const chosen = [...input.closest(".own-channels").querySelectorAll(":checked")].map((each) => each.dataset.channel);
      item.channels = String(chosen) === String(this.host.draft.channels) ? null : chosen;
    }
    this.recount(input.closest(".item"));
    this.host.changed();
  }

  act(button) {
    const [item, index] = this.itemAt(button);
    const { draft, problems, uploads } = this.host;
    const { do: name, number } = button.dataset;
    const actions = {
      up: () => draft.items.splice(index - 1, 0, ...draft.items.splice(index, 1)),
      down: () => draft.items.splice(index + 1, 0, ...draft.items.splice(index, 1)),
      remove: () => {
        draft.items.splice(index, 1);
        problems.delete(item);
        item.media.forEach((each) => uploads.forget(each));
      },
      "add-part": () => item.thread.push({ caption: "", delay: 0 }),
      "remove-part": () => item.thread.splice(number, 1),
      "take-out": () => uploads.forget(item.media.splice(number, 1)[0]),
      "add-file": () => this.host.addFile(item),
      retry: () => uploads.retry(item.media[number]),
    };
    actions[name]();
    if (name.endsWith("part")) this.redraw(index);
    else if (!["retry", "add-file"].includes(name)) {
      this.host.redraw();
      const to = name === "up" ? index - 1 : name === "down" ? index + 1 : index;
      const row = byId(`row-${Math.min(to, draft.items.length - 1)}`) ?? this.place.lastElementChild; // who presses keys goes on there
      (row?.querySelector(`[data-do=${name}]:enabled`) ?? row?.querySelector("textarea"))?.focus();
    }
    this.host.changed();
  }

  /** One row anew, with its details open. */
  redraw(index) {
    const card = this.card(index);
    card.querySelector("details").open = true;
    this.place.querySelector(`[data-index="${index}"]`).replaceWith(card);
    card.querySelector(".part:last-child textarea")?.focus();
  }

  card(index) {
    const item = this.host.draft.items[index];
    const card = copyOf("row");
    const at = (selector) => card.querySelector(selector);
    card.dataset.index = index;
    card.value = index + 1;
    card.id = `row-${index}`;
    card.setAttribute("aria-label", `Row ${index + 1}`);
    at("[data-do=up]").disabled = index === 0;
    at("[data-do=down]").disabled = index === this.host.draft.items.length - 1;
    at(".files").append(...item.media.map((medium, number) => this.file(medium, number, item)));
    at(".captions").append(...this.captions(item));
    at(".parts").append(...item.thread.map((part, number) => this.part(part, number)));
    at("[data-do=add-part]").hidden = item.thread.length >= this.host.facts.most.parts;
    at(".own-channels").append(...this.channelBoxes(item));
    at(".own-time").hidden = this.host.draft.times.mode !== "each" && !item.at;
    at(".own-time input").type = !item.at || LOCAL.test(item.at) ? "datetime-local" : "text";
    at(".own-settings").hidden = !item.settings;
    for (const name of ["caption", "at", "settings"]) at(`[data-bind=${name}]`).value = item[name] ?? "";
    this.markFaults(card, this.host.problems.get(item) ?? []);
    this.recount(card);
    return card;
  }

  captions(item) {
    const networks = new Set([...this.channelsOf(item).map((each) => each.identifier), ...Object.keys(item.captions)]);
    return [...networks].map((network) => {
      const label = copyOf("caption");
      label.firstElementChild.textContent = `Caption on ${network}`;
      const field = label.lastElementChild;
      field.dataset.bind = `captions.${network}`;
      field.value = item.captions[network] ?? "";
      return label;
    });
  }

  part(part, number) {
    const made = copyOf("part");
    const at = (selector) => made.querySelector(selector);
    at("span").textContent = number ? `Part ${number + 2}` : "First comment, or second part of the thread";
    for (const [name, field] of [["caption", at("textarea")], ["delay", at("input")]]) {
      field.dataset.bind = `thread.${number}.${name}`;
      field.value = part[name];
    }
    at("button").dataset.number = number;
    at(".counts").dataset.part = number;
    return made;
  }

  channelBoxes(item) {
    const own = item.channels ?? this.host.draft.channels;
    const known = this.host.facts.channels;
    const unknown = own.filter((id) => !known.some((each) => each.id === id)).map((id) => ({ id, name: `${id} (not known)`, ready: true }));
    return [...known, ...unknown].filter((each) => each.ready || own.includes(each.id)).map((channel) => {
      const label = copyOf("check");
      const box = label.firstElementChild;
      box.dataset.channel = channel.id;
      box.checked = own.includes(channel.id);
      label.lastElementChild.textContent = channel.name;
      return label;
    });
  }

  markFaults(card, faults) {
    if (!faults.length) return;
    const list = card.querySelector(".errors");
    list.append(...faults.map(({ message, remedy }) => textElement("li", [message, remedy].filter(Boolean).join(" "))));
    list.id = `errors-${card.dataset.index}`;
    list.hidden = false;
    card.classList.add("wrong");
    for (const { field } of faults) {
      const input = card.querySelector(`[data-bind="${CSS.escape(inputOf(field))}"]`);
      input?.setAttribute("aria-invalid", "true");
      input?.setAttribute("aria-describedby", list.id);
      if (/captions|thread|integration|settings/.test(field)) card.querySelector("details").open = true;
    }
  }

  recount(card) {
    const [item] = this.itemAt(card);
    const { draft } = this.host;
    const own = (channel) => item.captions[channel.id] || item.captions[channel.identifier] || item.caption || draft.caption;
    for (const place of card.querySelectorAll(".counts")) {
      const part = item.thread[place.dataset.part];
      const found = countCaption(this.host.count, this.channelsOf(item), part ? () => part.caption : own);
      place.replaceChildren(...found.map(({ words, isOver }) => textElement("span", isOver ? `${words}: too long` : words, { className: isOver ? "wrong" : "" })));
    }
    const mute = this.channelsOf(item).filter((each) => each.threads === false).map((each) => each.identifier);
    const hint = card.querySelector(".no-thread");
    hint.hidden = !(mute.length && item.thread.length);
    hint.firstElementChild.textContent = mute.join(", ");
    card.querySelector("[data-bind=caption]").placeholder = draft.caption;
  }

  recountAll() {
    for (const card of this.place.children) this.recount(card);
  }

  file(medium, number, item) {
    const made = copyOf("file");
    made.querySelector("strong").textContent = medium.name;
    made.querySelector("progress").setAttribute("aria-label", `${medium.name}: sent`);
    for (const button of made.querySelectorAll("button")) button.dataset.number = number;
    made.querySelector("[data-do=take-out]").hidden = item.media.length < 2;
    this.files.set(medium, made);
    this.show(medium);
    return made;
  }

  /** How far a file is, without touching what is being typed. */
  show(medium) {
    const made = this.files.get(medium);
    if (!made) return;
    const at = (selector) => made.querySelector(selector);
    at(".size").textContent = medium.size ? sizeOf(medium.size) : "";
    at("progress").hidden = !["sending", "queued"].includes(medium.state);
    at("progress").value = medium.size ? (100 * (medium.sent ?? 0)) / medium.size : 0;
    const words = medium.url && medium.state === "waiting" ? "is fetched when you press “Show the plan”" : WORDS[medium.state];
    at(".words").textContent = [words, medium.words].filter(Boolean).join("; ");
    at(".words").classList.toggle("wrong", medium.state === "failed");
    at("[data-do=retry]").hidden = !(medium.state === "failed" && this.host.uploads.has(medium));
    if (medium.id && medium.state === "done" && !at("img").src) {
      at("img").src = `/api/v1/media/${medium.id}/thumbnail`;
      at("img").hidden = false;
    }
  }
}

/** What the chosen networks ask for besides. */
export function showSettings(draft, channels) {
  const chosen = new Set(channels.filter((each) => draft.channels.includes(each.id)).map((each) => each.identifier));
  const labels = [...byId("settings").querySelectorAll("label")];
  for (const label of labels) {
    const { network, setting } = label.dataset;
    const value = draft.settings[network]?.[setting];
    label.hidden = !chosen.has(network);
    if (value !== undefined) label.lastElementChild.value = typeof value === "string" ? value : JSON.stringify(value);
  }
  byId("settings").hidden = labels.every((label) => label.hidden);
}

/** Truth, lists and objects as JSON; all else is text. */
export function readSetting(draft, { dataset: { network, setting }, lastElementChild: { value } }) {
  const own = (draft.settings[network] ??= {});
  delete own[setting];
  try {
    if (value) own[setting] = /^(true|false|[[{].*)$/s.test(value) ? JSON.parse(value) : value;
  } catch {
    own[setting] = value;
  }
}
