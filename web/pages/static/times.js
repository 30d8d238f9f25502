// Times in the reader's zone, which stands at the foot of the page.

const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const zone = shown.resolvedOptions().timeZone;

/** Puts every `<time datetime>` below `root` into the reader's zone. */
export function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    element.textContent = shown.format(moment);
    element.title = whole.format(moment);
  }
}
