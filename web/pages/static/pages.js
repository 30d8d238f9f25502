// The pages' buttons call the API as the person who is signed in; times are shown in the reader's zone.

const csrf = document.querySelector('meta[name="csrf"]').content;
const notice = document.getElementById("notice");

/** Shows words in the page's status line, which screen readers read out. */
function say(words, { wrong = false } = {}) {
  notice.textContent = words;
  notice.classList.toggle("wrong", wrong);
  notice.hidden = false;
  if (wrong) notice.scrollIntoView({ block: "nearest" });
}

/** Calls the API; resolves to its JSON. Throws an Error with words for people. */
async function call(method, path, body, profile) {
  const headers = { "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (profile) headers["X-Profile-Id"] = profile;
  let reply;
  try {
    reply = await fetch(path, { method, headers, body });
  } catch {
    throw new Error("Pressroom does not answer. Look at your connection, and try again.");
  }
  const text = await reply.text();
  const answer = text ? JSON.parse(text) : {};
  if (!reply.ok) throw new Error(answer.detail || answer.title || `It was refused (${reply.status}).`);
  return answer;
}

/** How many posts a call for many would change, in words. */
function describe(plan) {
  const refused = plan.refused.map((each) => `${each.count}: ${each.message}`);
  const words = `${plan.would_change} of ${plan.matched} posts will be changed.`;
  return [words, ...refused].join("\n");
}

async function press(button) {
  const { call: wanted, body, ask, profile } = button.dataset;
  const [method, path] = wanted.split(" ");
  if (ask && !window.confirm(ask)) return;
  button.disabled = true;
  try {
    if ("dry" in button.dataset) {
      const plan = await call(method, `${path}?dry_run=true`, body, profile);
      if (plan.would_change === 0) {
        say(["Nothing would be changed.", ...plan.refused.map((each) => each.message)].join(" "));
        return;
      }
      if (!window.confirm(describe(plan))) return;
    }
    await call(method, path, body, profile);
    window.location.reload();
  } catch (error) {
    say(error.message, { wrong: true });
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-call]");
  if (button) press(button);
});

const zone = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "short",
});
const named = new Intl.DateTimeFormat(undefined, {
  dateStyle: "full",
  timeStyle: "long",
});
document.getElementById("zone").textContent =
  `Times are in your zone: ${zone.resolvedOptions().timeZone}.`;
for (const element of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(element.dateTime);
  element.textContent = zone.format(moment);
  element.title = named.format(moment);
}
