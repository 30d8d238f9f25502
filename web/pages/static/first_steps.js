// The last of the first steps: a profile's channels are looked for.

import { call } from "./api.js";
import "./settings.js";

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
