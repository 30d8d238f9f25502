// A CSV becomes rows of the draft: its columns are mapped, then the rows are mended in the list.

import { warn } from "./api.js";
import { newItem } from "./draft.js";
import { byId, copyOf, textElement } from "./templates.js";

const LARGEST = 2e7;

/** The cells of each row, in quotes or not. Throws an Error with words for people. */
export function parseCsv(text) {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const separator = [",", ";", "\t"].sort((a, b) => first.split(b).length - first.split(a).length)[0];
  const cell = new RegExp(`"((?:[^"]|"")*)"(?=[${separator}\r\n]|$)|([^${separator}\r\n]*)`, "y");
  const rows = [];
  let row = [];
  for (let at = text.startsWith("\ufeff") ? 1 : 0; at <= text.length; ) {
    cell.lastIndex = at;
    const [whole, quoted, plain] = cell.exec(text);
    if (plain?.startsWith('"')) throw new Error(`Row ${rows.length} of the CSV has a quote without an end.`);
    row.push(quoted?.replaceAll('""', '"') ?? plain);
    at += whole.length;
    if (text[at] === separator) {
      at += 1;
      continue;
    }
    if (row.some((each) => each.trim())) rows.push(row);
    row = [];
    at += text.startsWith("\r\n", at) ? 2 : 1;
  }
  return rows;
}

const listOf = (cell) => cell.split("|").map((each) => each.trim()).filter(Boolean);

function mediumOf(text) {
  if (/^https?:\/\//i.test(text)) return { name: text, url: text, state: "waiting" };
  if (/^\d+$/.test(text)) return { name: `medium ${text}`, id: text, state: "done" };
  return { name: text.split(/[\\/]/).pop().normalize(), state: "waiting" };
}

/** `2026-12-01 9:00` as inputs of times have it; all else is left as it is, for the server to judge. */
function timeOf(text) {
  const found = /^(\d{4}-\d\d-\d\d)[ T](\d{1,2}:\d\d)(:00)?$/.exec(text.trim());
  return found ? `${found[1]}T${found[2].padStart(5, "0")}` : text.trim();
}

/** Ids of the channels that the cell names by id, name or network; unknown names stay. */
function channelsOf(cell, channels) {
  const isNamed = (text) => (each) => [each.id, each.name, each.identifier].some((own) => own.toLowerCase() === text.toLowerCase());
  const find = (text) => channels.filter((each) => each.ready && isNamed(text)(each)).map((each) => each.id);
  return listOf(cell).flatMap((text) => (find(text).length ? find(text) : [text]));
}

const SETTERS = {
  media: (item, cell) => item.media.push(...listOf(cell).map(mediumOf)),
  at: (item, cell) => (item.at = timeOf(cell)),
  channels: (item, cell, channels) => (item.channels = channelsOf(cell, channels)),
  thread: (item, cell) => item.thread.push({ caption: cell, delay: 0 }),
  profile: (item, cell) => (item.profile = cell.trim().toLowerCase()),
};

function itemOf(cells, meanings, channels) {
  const item = newItem();
  meanings.forEach((meaning, index) => {
    const cell = cells[index] ?? "";
    if (!meaning || !cell.trim()) return;
    const setter = SETTERS[meaning.replace(/^thread_\d$/, "thread")];
    if (setter) setter(item, cell, channels);
    else if (meaning.startsWith("caption_")) item.captions[meaning.slice(8)] = cell;
    else item[meaning] = cell;
  });
  return item;
}

function columnRow(name, examples) {
  const row = copyOf("column");
  const select = row.querySelector("select");
  const plain = name.trim().toLowerCase().replace(/[\s-]+/g, "_");
  row.querySelector("th").textContent = name || "(no name)";
  row.querySelector("td.text").textContent = examples.filter(Boolean).join(" · ").slice(0, 120);
  select.setAttribute("aria-label", `${name} becomes`);
  select.value = [...select.options].find(({ dataset }) => dataset.names && new RegExp(`^(${dataset.names})$`).test(plain))?.value ?? "";
  return row;
}

async function readRows(file, most) {
  if (file.size > LARGEST) throw new Error(`${file.name} is larger than 20 MB: split it.`);
  const text = await file.text();
  if (text.includes("\ufffd")) throw new Error(`${file.name} is not in UTF-8: in Excel, save it as “CSV UTF-8”.`);
  const [names = [], ...rows] = parseCsv(text);
  if (!rows.length) throw new Error(`${file.name} has no rows: its first line names the columns, each other is a post.`);
  if (rows.length > most) throw new Error(`${file.name} has ${rows.length} rows; ${most} are taken at once: split it.`);
  return [names, rows];
}

/** Shows the columns to map until one decides; `take(items)` gets the rows. Throws an Error with words for people. */
export async function mapCsv(file, { channels, most, names: own }, take) {
  const [names, rows] = await readRows(file, most.rows);
  const place = byId("mapping");
  const columns = names.map((name, at) => columnRow(name, rows.slice(0, 3).map((cells) => cells[at])));
  place.querySelector("h3").textContent = `${file.name}: ${rows.length} rows. What are its columns?`;
  place.querySelector("tbody").replaceChildren(...columns);
  const [go, leave] = place.querySelectorAll("button");
  go.textContent = `Take over ${rows.length} rows`;
  place.hidden = false;
  go.focus();
  const pressed = await new Promise((decide) => {
    go.onclick = leave.onclick = ({ target }) => decide(target);
  });
  place.hidden = true;
  const meanings = columns.map((row) => row.querySelector("select").value);
  if (pressed !== go) return;
  const items = rows.map((cells) => itemOf(cells, meanings, channels));
  const ours = items.filter(({ profile }) => !profile || own.includes(profile));
  take(ours);
  if (ours.length < items.length) warn(`Rows of other profiles, left out: ${items.length - ours.length}.`);
}
