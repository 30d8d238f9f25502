// The page for composing: a draft of rows, their uploads, the plan, and publishing.

import { say, warn, whileBusy } from "./api.js";
import { captionCounter } from "./captions.js";
import { mapCsv } from "./csv_mapping.js";
import { bulkBody, DraftStore, newItem } from "./draft.js";
import { filesOf, sortOut } from "./dropped_files.js";
import { ItemList, nameOf, readSetting, showSettings } from "./items.js";
import { showPlan } from "./plan_view.js";
import { askPlan, fetchAddresses, publish } from "./publishing.js";
import { byId } from "./templates.js";
import { zone } from "./times.js";
import { Uploads } from "./uploads.js";

const AT_ONCE = 25;
const facts = JSON.parse(byId("facts").textContent);
const { profile, most } = facts;
const store = new DraftStore(facts.person, profile);
const times = byId("times");
let page = 0;
let planned = null; // the body that the shown plan is of, as text
let target; // the row that the next chosen file is added to

const host = { draft: store.load(), facts, count: captionCounter(facts.counting), problems: new Map(), changed, redraw, addFile };
const { draft } = host;
const allMedia = () => draft.items.flatMap((item) => item.media);
const failed = () => allMedia().filter((each) => each.state === "failed" && host.uploads.has(each));
const state = (words) => (byId("plan-state").textContent = words);
/** Of the rows that are listed: all, or those with errors. */
const listed = () => [...draft.items.keys()].filter((index) => !(byId("only-wrong").checked && host.problems.size) || host.problems.has(draft.items[index]));

host.uploads = new Uploads(profile, (medium) => {
  list.show(medium);
  if (medium.state !== "sending" || !medium.sent) save();
  showUploads();
});
const list = new ItemList(byId("items"), host);

function save() {
  store.save(draft);
  if (!store.isKept) state("This draft is too large to survive a reload: publish it before you leave.");
}

/** Something was typed: it is kept, and the plan is no longer of it. */
function changed() {
  save();
  byId("publish").disabled = true;
  if (planned !== null) state("Something has changed since the plan: show it again.");
  planned = null;
}

function redraw(focus) {
  const indexes = listed();
  page = Math.max(0, Math.min(page, Math.ceil(indexes.length / AT_ONCE) - 1));
  list.draw(indexes.slice(page * AT_ONCE, (page + 1) * AT_ONCE));
  byId("list-tools").hidden = !draft.items.length;
  byId("pager").hidden = indexes.length <= AT_ONCE;
  byId("pager").children[1].textContent = `${page * AT_ONCE + 1} to ${Math.min(indexes.length, (page + 1) * AT_ONCE)} of ${indexes.length}`;
  if (focus) byId(focus)?.scrollIntoView({ block: "center" });
  showUploads();
}

function showUploads() {
  const media = allMedia();
  const number = (state) => media.filter((each) => each.state === state).length;
  const going = number("sending") + number("queued");
  const missing = number("waiting") + number("failed");
  const words = [`${draft.items.length} rows, ${number("done")} of ${media.length} files are here`];
  if (going) words.push(host.uploads.held ? `${going} are paused` : `${going} are on their way`);
  if (missing) words.push(`${missing} are missing`);
  byId("upload-state").textContent = words.join("; ");
  const again = going ? 0 : failed().length;
  byId("hold-uploads").hidden = !going && !again;
  byId("hold-uploads").textContent = again ? `Try ${again} again` : host.uploads.held ? "Go on with the uploads" : "Pause the uploads";
}

function addFile(item) {
  target = item;
  byId("files").click();
}

function addRows(items) {
  const room = most.rows - draft.items.length;
  if (items.length > room) warn(`At most ${most.rows} rows: the last ${items.length - room} were left out.`);
  draft.items.push(...items.slice(0, room));
  host.problems.clear();
  redraw();
  changed();
}

/** A file goes where it is missed by its name, into all rows of a table that name it; else it is a row of its own.
 * One that is here already is none: after a reload one chooses all of a folder again. */
function addClips(files) {
  const rows = [];
  let here = 0;
  const media = allMedia();
  const isMissed = ({ url, state }) => !url && ["waiting", "failed"].includes(state);
  for (const file of files.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }))) {
    const name = file.name.normalize(); // a Mac and a table may write the same letter in two ways
    const fits = media.filter((each) => each.name === name && isMissed(each) && [undefined, file.size].includes(each.size));
    const unseen = fits.filter(({ size }) => !size);
    const taken = unseen.length ? unseen : fits.slice(0, 1);
    if (!taken.length) {
      if (!target && media.some((each) => each.name === name && each.size === file.size)) {
        here += 1;
        continue;
      }
      taken.push({ name });
      if (target) target.media.push(...taken);
      else rows.push(newItem({ media: taken }));
    }
    for (const medium of taken) host.uploads.add(medium, file);
  }
  target = null;
  addRows(rows);
  if (here) warn(`In the list already: ${here}.`);
}

/** The tables so far: each is mapped after the one before, also if it came later. */
let mapped = Promise.resolve();

function addFiles(all) {
  const [files, words] = sortOut(all);
  warn(words);
  const isTable = ({ name }) => (/\.[ct]sv$/i).test(name);
  const clips = files.filter((file) => !isTable(file));
  if (clips.length) addClips(clips);
  for (const table of files.filter(isTable)) {
    mapped = mapped.then(() => mapCsv(table, facts, takeRows)).catch((error) => warn(error.message));
  }
}

/** Rows of a CSV: files of these names that came as rows of their own are theirs. */
function takeRows(items) {
  const isLone = (item) => item.media.length === 1 && !item.caption && !item.at && !item.thread.length;
  const lone = new Map(draft.items.filter(isLone).map((item) => [item.media[0].name, item]));
  for (const item of items) {
    item.media = item.media.map((medium) => lone.get(medium.name)?.media[0] ?? medium);
    for (const medium of item.media) {
      const taken = lone.get(medium.name);
      if (taken) draft.items.splice(draft.items.indexOf(taken) >>> 0, 1);
    }
  }
  if (items.some((item) => item.at) && draft.times.mode === "now") setMode("each");
  addRows(items);
  makePlan();
}

/** A fault or warning in the page's own words, where the API's name its fields. */
function inWords(each) {
  const [remedy, message] = facts.words[each.code] ?? [];
  return { ...each, message: (message || each.message).replace(/[^.]$/, "$&."), remedy: remedy ?? each.remedy };
}

function noteFaults(faults) {
  host.problems.clear();
  for (const fault of faults.map(inWords)) {
    const item = draft.items[/^items\.(\d+)/.exec(fault.field)?.[1]];
    if (item) host.problems.set(item, [...(host.problems.get(item) ?? []), fault]);
  }
  byId("only-wrong").checked = host.problems.size > 0;
  page = 0;
  redraw();
}

function missingFiles() {
  const faults = [];
  draft.items.forEach((item, index) => {
    for (const medium of item.media.filter((each) => !each.id)) {
      const words = medium.state === "failed" ? medium.words : "drop it in above, and it is taken for this row";
      faults.push({ field: `items.${index}.media_ids`, message: `The file ${medium.name} is not here: ${words}.` });
    }
  });
  return faults;
}

/** The server's faults of a plan; a file that is not here is told in our words. */
function faultsOf(plan) {
  const missing = missingFiles();
  const isMissing = ({ field }) => (/\.media_ids\.\d+$/).test(field) && missing.some((each) => field.startsWith(each.field));
  return [...missing, ...plan.rows.flatMap((row) => row.errors).filter((fault) => !isMissing(fault))];
}

async function makePlan() {
  if (!draft.items.length) return warn("Nothing to plan yet: add clips, or a post without one.");
  if (!draft.channels.length && draft.items.every((item) => !item.channels)) return warn("No channel is chosen yet: choose some under 1. Channels.");
  say("");
  await whileBusy(byId("make-plan"), async () => {
    if (host.uploads.busy) state("The plan is made as soon as the uploads have ended …");
    await host.uploads.settled();
    state("The plan is made …");
    await fetchAddresses(allMedia().filter((each) => each.url && !each.id), profile);
    const body = bulkBody(draft);
    const plan = await askPlan(body, profile);
    noteFaults(faultsOf(plan));
    planned = JSON.stringify(body);
    save();
    plan.warnings = plan.warnings.map(inWords);
    showPlan(plan, { zone: draft.times.zone, nameOf: (index) => nameOf(draft.items[index]), go: goTo });
    tellPlan(plan);
    if (JSON.stringify(bulkBody(draft)) !== planned) changed(); // typed while the plan was made
  }, (error) => {
    noteFaults(error.fields ?? []);
    state("There is no plan yet.");
    const others = (error.fields ?? []).filter(({ field }) => !field.startsWith("items.")).map(({ field, message }) => `${field}: ${message}`);
    warn([error.message, ...others].join(" "));
  });
}

function tellPlan({ posts, times_tag: tag }) {
  const wrong = host.problems.size;
  const button = byId("publish");
  byId("skip-row").hidden = !wrong;
  byId("skip").checked = false;
  Object.assign(button.dataset, { posts, tag });
  button.textContent = `Publish ${posts} post${posts === 1 ? "" : "s"}`;
  button.disabled = wrong > 0 || !posts;
  state(wrong ? `${wrong} row${wrong === 1 ? " has" : "s have"} errors: mend them above, then show the plan again.` : "This is what will go out.");
}

function goTo(index) {
  if (!listed().includes(index)) byId("only-wrong").checked = false;
  page = Math.floor(listed().indexOf(index) / AT_ONCE);
  redraw(`row-${index}`);
  byId(`row-${index}`).querySelector("textarea").focus({ preventScroll: true });
}

async function send() {
  const { sending } = draft;
  byId("publish").disabled = true;
  state("It is being accepted …");
  try {
    const job = await publish(sending, profile, (error) => state(`${error.message} It is asked again; nothing is published twice.`));
    store.clear();
    location.assign(`/jobs/${job.id}`);
  } catch (error) {
    if (error.isUnclear) return offerAgain(error);
    draft.sending = null;
    byId("unsent").hidden = true;
    if (error.code === "key_reused") {
      draft.id = store.clear().id;
      error.message = "This draft was published already, perhaps from another tab: look under Jobs. To publish what is here too, show its plan.";
    }
    warn(error.message);
    noteFaults(error.fields ?? []);
    changed();
  }
}

/** Nobody knows whether it was accepted: until that is known nothing else is sent. */
function offerAgain(error) {
  const place = byId("unsent");
  place.hidden = false;
  const [words, again] = place.children;
  words.textContent = error.message;
  again.onclick = send;
  byId("make-plan").disabled = true;
  place.scrollIntoView({ block: "center" });
}

function setMode(mode) {
  draft.times.mode = mode;
  times.querySelector(`[value=${mode}]`).checked = true;
  for (const label of times.querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.includes(mode);
  redraw();
}

/** The zones to choose from; "each" and the like show only their own fields. */
function drawTimes() {
  draft.times.zone ||= zone;
  const zones = new Set(["UTC", zone, draft.times.zone, ...Intl.supportedValuesOf("timeZone")]);
  times.querySelector("select").append(...[...zones].map((each) => new Option(each)));
}

/** Fields with `data-draft` show what the draft has there, and write it. */
function bindFields() {
  for (const field of document.querySelectorAll("[data-draft]")) {
    const [name, group] = field.dataset.draft.split(".").reverse();
    const place = group ? draft[group] : draft;
    if (field.type === "radio") field.checked = field.value === place[name];
    else if (field.type !== "checkbox") field.value = place[name];
    else field.checked ||= place[name];
    field.addEventListener("input", () => {
      place[name] = field.type === "checkbox" ? field.checked : field.value;
      if (["mode", "zone"].includes(name)) setMode(draft.times.mode);
      if (name === "caption") list.recountAll();
      changed();
    });
  }
}

byId("channels").addEventListener("change", ({ target: box }) => {
  if (!box.closest(".channel")) return readSetting(draft, box.closest("label")), changed();
  draft.channels = [...byId("channels").querySelectorAll(".channel :checked")].map((each) => each.value);
  showSettings(draft, facts.channels);
  redraw();
  changed();
});

for (const id of ["files", "folder"]) {
  byId(id).addEventListener("change", ({ target: input }) => {
    addFiles([...input.files]);
    input.value = "";
  });
}

byId("files").addEventListener("cancel", () => (target = null));

const drop = byId("drop");
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  addEventListener(name, async (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("over", name.endsWith("er")); // of dragenter and dragover
    if (name === "drop") addFiles(await filesOf(event.dataTransfer));
  });
}

const actions = {
  "add-text": () => addRows([newItem()]),
  "add-addresses": () => {
    const field = byId("addresses");
    addRows(field.value.split(/\s+/).filter(Boolean).map((url) => newItem({ media: [{ name: url, url, state: "waiting" }] })));
    field.value = "";
  },
  "hold-uploads": () => {
    if (!host.uploads.busy) for (const medium of failed()) host.uploads.retry(medium);
    else if (host.uploads.held) host.uploads.goOn();
    else host.uploads.hold();
    showUploads();
  },
  clear: () => {
    if (!confirm("Forget all rows and what was typed? Files that are here stay under Media.")) return;
    store.clear();
    location.reload();
  },
  "make-plan": makePlan,
  publish: () => {
    draft.sending = { body: JSON.parse(planned), key: draft.id, skip: byId("skip").checked, tag: byId("publish").dataset.tag };
    save();
    send();
  },
};
for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
byId("only-wrong").addEventListener("change", () => redraw());
byId("skip").addEventListener("change", () => (byId("publish").disabled = planned === null || !byId("skip").checked || !Number(byId("publish").dataset.posts)));
byId("pager").addEventListener("click", ({ target: button }) => {
  page += Number(button.dataset.page ?? 0);
  redraw("items");
});
addEventListener("storage", ({ key }) => key === store.key && warn("This draft is open in another tab too: close one."));
addEventListener("beforeunload", (event) => host.uploads.busy && !draft.sending && event.preventDefault());

for (const medium of allMedia()) if (!medium.id) Object.assign(medium, { state: "waiting", words: "", sent: 0 });
for (const box of byId("channels").querySelectorAll(".channel input")) box.checked = draft.channels.includes(box.value) && !box.disabled;
draft.channels = draft.channels.filter((id) => facts.channels.some((each) => each.id === id && each.ready));
showSettings(draft, facts.channels);
drawTimes();
bindFields();
setMode(draft.times.mode);
byId("draft").inert = false; // what is typed earlier would be overwritten by what the draft has
if (draft.sending) send();
