// On every page: buttons, forms and times. A page with more of its own has a module for that.

import "./buttons.js";
import "./forms.js";
import { showTimes, zone } from "./times.js";

const calendar = document.querySelector('nav [href="/calendar"]');
if (calendar && zone !== "UTC") calendar.search = new URLSearchParams({ tz: zone }); // else it loads twice
const here = document.querySelector("nav [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - 100; // on a phone the links are one line
// Of many pictures at once some are refused: these are asked for again.
setInterval(() => {
  for (const image of document.images) {
    if (!image.complete || !image.src || image.naturalWidth) continue;
    image.tries = (image.tries ?? 0) + 1;
    if (image.tries < 5) image.src += "";
  }
}, 2000);
document.getElementById("zone").textContent = `Times are in your zone: ${zone}.`;
showTimes();
