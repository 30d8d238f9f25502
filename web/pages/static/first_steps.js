// The first steps: a profile's Postiz is tried before it is saved, then its channels are looked for.

import { call, say } from "./api.js";

const PROFILES = "/api/v1/profiles";

const form = document.getElementById("first-postiz");
form?.addEventListener("pressroom:done", async (event) => {
  event.preventDefault();
  if (!event.detail.ok) return say(event.detail.detail, { wrong: true });
  const { profile } = form.dataset;
  const postiz = { api_url: form.elements.api_url.value, api_key: form.elements.api_key.value };
  try {
    await call("PATCH", `${PROFILES}/${profile}`, { tts_settings: { postiz } });
    window.location.reload();
  } catch (error) {
    say(error.message, { wrong: true });
  }
});

document.getElementById("use-sandbox")?.addEventListener("click", ({ target }) => {
  form.elements.api_url.value = target.dataset.url;
  form.elements.api_key.value = target.dataset.key;
  form.requestSubmit();
});

const waiting = document.getElementById("first-channels");

async function lookForChannels() {
  const words = waiting.querySelector("[role=status]");
  try {
    const found = await call("GET", "/api/v1/postiz/integrations", undefined, waiting.dataset);
    if (found.length) return window.location.reload();
    words.textContent = "Its Postiz has no channels yet. Connect them in Postiz, then look again.";
  } catch (error) {
    words.textContent = error.message;
  }
}

if (waiting) {
  waiting.querySelector("button").addEventListener("click", lookForChannels);
  lookForChannels();
}
