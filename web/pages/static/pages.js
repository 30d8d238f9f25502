// On every page: buttons, forms and times. A page with more of its own has a module for that.

import "./buttons.js";
import "./forms.js";
import { showTimes, zone } from "./times.js";

document.getElementById("zone").textContent = `Times are in your zone: ${zone}.`;
showTimes();
