// The last of the first steps: a profile's channels are looked for.

import { call, whileBusy } from "./api.js";
import "./settings.js";

const waiting = document.getElementById("first-channels");

function lookForChannels() {
  const words = waiting.querySelector("[role=status]");
  whileBusy(null, async () => {
    const found = await call("GET", "/api/v1/postiz/integrations", undefined, waiting.dataset);
    if (found.length) return location.reload();
    words.textContent = "Its Postiz has no channels yet. Connect them in Postiz, then look again.";
  }, ({ message }) => (words.textContent = message));
}

if (waiting) {
  waiting.querySelector("button").addEventListener("click", lookForChannels);
  lookForChannels();
}
