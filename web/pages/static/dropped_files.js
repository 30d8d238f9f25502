// Files of a drop, those in folders too, and which of them are taken.

const TAKEN = /\.(mp4|jpe?g|png|gif|webp|csv|tsv)$/i;
const MOST = 10_000;

const readBatch = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function readEntry(entry, found) {
  if (found.length >= MOST) return;
  if (entry.isFile) return void found.push(await fileOf(entry));
  const reader = entry.createReader();
  for (let batch = await readBatch(reader); batch.length; batch = await readBatch(reader)) {
    for (const each of batch) await readEntry(each, found);
  }
}

export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  for (const entry of entries) await readEntry(entry, found);
  return found;
}

/** Those that Postiz takes, by their names; and what is left out, in words. */
export function sortOut(files) {
  const isTaken = ({ name }) => TAKEN.test(name);
  const others = files.filter((file) => !isTaken(file) && file.name[0] !== ".").map(({ name }) => name);
  const words = others.length ? `Left out (${others.length}): ${others.slice(0, 5).join(", ")}. Only mp4, jpeg, png, gif, webp and CSV are taken.` : "";
  return [files.filter(isTaken).slice(0, MOST), words];
}
