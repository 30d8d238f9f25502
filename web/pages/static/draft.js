// What was typed: kept in this browser for each person and profile, until it is published.

import { newId } from "./api.js";

export const newItem = (more = {}) => ({ media: [], caption: "", captions: {}, at: "", channels: null, thread: [], ...more });

/** `id` is also the Idempotency-Key of its publishing. */
const newDraft = () => ({
  id: newId(),
  items: [],
  channels: [],
  settings: {},
  caption: "",
  times: { mode: "now", start: "", interval: "30", slots: "", zone: "", jitter: "", cap: "", gap: "", late: "publish" },
  approval: false,
  asDraft: false,
  sending: null,
});

export class DraftStore {
  constructor(person, profile) {
    this.key = `pressroom.compose ${person} ${profile}`;
    this.isKept = true;
  }

  load() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "null");
      if (kept?.id) return { ...newDraft(), ...kept };
    } catch {
      // what cannot be read is begun anew
    }
    return newDraft();
  }

  /** Of a file that was under way, all but what a later try needs is left out. */
  save(draft) {
    try {
      localStorage.setItem(this.key, JSON.stringify(draft));
      this.isKept = true;
    } catch {
      this.isKept = false; // the browser's room is full
    }
  }

  clear() {
    localStorage.removeItem(this.key);
    return newDraft();
  }
}

const numberOf = (text) => (text === "" ? undefined : Number(text));

function timesOf({ mode, start, interval, slots, zone, jitter, cap, gap, late }) {
  const from = ["interval", "slots"].includes(mode) && start ? { schedule_date: start } : {};
  const spread = {
    interval: { schedule_interval_minutes: Number(interval) },
    slots: { slots: slots.split(/[\s,;|]+/).filter(Boolean) },
  };
  return {
    timezone: zone,
    ...(spread[mode] ?? { schedule_interval_minutes: 0 }),
    ...from,
    schedule_jitter_minutes: numberOf(jitter),
    daily_cap_per_integration: numberOf(cap),
    min_gap_minutes_per_integration: numberOf(gap),
    late_policy: late,
  };
}

/** The server says what is wrong with what is no JSON. */
function parseSettings(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function itemBody(item, mode) {
  const captions = Object.entries(item.captions).filter(([, text]) => text.trim());
  return {
    media_ids: item.media.map((medium) => medium.id ?? medium.name),
    caption: item.caption.trim() ? item.caption : undefined,
    captions_per_platform: captions.length ? Object.fromEntries(captions) : undefined,
    integration_ids: item.channels ?? undefined,
    schedule_date: item.at || mode === "each" ? item.at : undefined,
    thread: item.thread.length ? item.thread.map((part) => ({ caption: part.caption, delay_minutes: Number(part.delay) || 0 })) : undefined,
    external_id: item.external || undefined,
    settings: item.settings?.trim() ? parseSettings(item.settings) : undefined,
  };
}

/** The body of POST /postiz/bulk-publish, without what is undefined. */
export function bulkBody(draft) {
  return JSON.parse(JSON.stringify({
    items: draft.items.map((item) => itemBody(item, draft.times.mode)),
    integration_ids: draft.channels,
    caption: draft.caption,
    settings: draft.settings,
    ...timesOf(draft.times),
    requires_approval: draft.approval,
    save_as_draft: draft.asDraft,
  }));
}
