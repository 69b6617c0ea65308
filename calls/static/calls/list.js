/**
 * A list of the admin: times in the reader's zone, and an address without empty parameters.
 *
 * @module
 */

import { localise } from "./times.js";

localise();

for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("submit", () => {
    // a hidden one without a value is a filter: that of calls whose agent or failure reason is not known
    const empty = [...form.querySelectorAll("input")].filter((input) => input.name && !input.value && input.type !== "hidden");
    for (const input of empty) input.disabled = true;
    setTimeout(() => empty.forEach((input) => (input.disabled = false))); // the page may stay, or come back
  });
}
