// The plan of a draft: what it costs, what to heed, and the days with their posts.

import { byId, textElement } from "./templates.js";

const PER_DAY = 12;
const DAYS = 31;
const MOST_WARNINGS = 50;

/** A button that leads to a row. */
const rowLink = (index, words) => textElement("button", words, { type: "button", className: "row-link", value: index });

function warningLine({ message, remedy, indexes }) {
  const words = remedy ? `${message} ${remedy}` : message;
  const line = textElement("li", `${words} `);
  if (indexes.length) line.append("Rows:", ...indexes.slice(0, 8).flatMap((index) => [" ", rowLink(index, `${index + 1}`)]));
  if (indexes.length > 8) line.append(` and ${indexes.length - 8} more`);
  return line;
}

function dayBox(day, rows, { nameOf, timeOf, late }) {
  const list = textElement("ul", "");
  for (const row of rows.slice(0, PER_DAY)) {
    const line = textElement("li", `${timeOf(row)} `);
    line.append(rowLink(row.index, nameOf(row.index)), ` × ${row.posts.length}${late.has(row.index) ? " (late)" : ""}`);
    list.append(line);
  }
  if (rows.length > PER_DAY) list.append(textElement("li", `and ${rows.length - PER_DAY} more`));
  const box = textElement("li", "");
  box.append(textElement("h4", `${day}, rows: ${rows.length}`), list);
  return box;
}

function facts(plan, format) {
  return {
    posts: plan.posts,
    calls: plan.counted_calls,
    first: plan.first_at ? format(plan.first_at) : "none",
    last: plan.finishes_at ? format(plan.finishes_at) : "none",
    late: plan.late_posts ? `${plan.late_posts} cannot be out within 5 minutes of their time` : "none",
    approval: plan.requires_approval ? "nothing goes out before somebody has approved it" : "not needed",
  };
}

/** `go(index)` leads to a row. */
export function showPlan(plan, { zone, nameOf, go }) {
  const formatter = (options) => {
    const format = new Intl.DateTimeFormat(undefined, { timeZone: zone, ...options });
    return (moment) => format.format(new Date(moment));
  };
  const place = byId("plan-view");
  for (const [name, words] of Object.entries(facts(plan, formatter({ dateStyle: "medium", timeStyle: "short" })))) {
    place.querySelector(`[data-fact=${name}]`).textContent = words;
  }
  byId("warnings").hidden = !plan.warnings.length;
  byId("warnings").lastElementChild.replaceChildren(...plan.warnings.slice(0, MOST_WARNINGS).map(warningLine));
  const dayOf = formatter({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const clock = formatter({ hour: "2-digit", minute: "2-digit" });
  const timed = plan.rows.filter((each) => each.ok && each.publish_at).sort((a, b) => a.publish_at.localeCompare(b.publish_at));
  const days = Map.groupBy(timed, (row) => dayOf(row.publish_at));
  const late = new Set(plan.warnings.filter((each) => each.code.startsWith("late_")).flatMap((each) => each.indexes));
  const words = { nameOf, timeOf: (row) => clock(row.publish_at), late };
  const cut = days.size > DAYS ? `, the first ${DAYS} of ${days.size} days` : "";
  byId("days-title").textContent = `Day by day (${zone})${cut}`;
  byId("days").replaceChildren(...[...days].slice(0, DAYS).map(([day, rows]) => dayBox(day, rows, words)));
  place.onclick = ({ target }) => target.className === "row-link" && go(Number(target.value));
  place.hidden = false;
}
