// Files of a drop, those in folders too.

const TAKEN = /\.(mp4|jpe?g|png|gif|webp|csv|tsv)$/i;
const MOST = 10_000;

const readBatch = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function readEntry(entry, found) {
  if (found.length >= MOST) return;
  if (entry.isFile) {
    if (TAKEN.test(entry.name)) found.push(await fileOf(entry));
    return;
  }
  const reader = entry.createReader();
  for (let batch = await readBatch(reader); batch.length; batch = await readBatch(reader)) {
    for (const each of batch) await readEntry(each, found);
  }
}

/** Of folders only those files that Postiz takes. */
export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await readEntry(entry, found);
  return found;
}

export const takenFiles = (files) => [...files].filter((file) => TAKEN.test(file.name)).slice(0, MOST);
