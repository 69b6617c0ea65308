/**
 * Runs the steps of "Apply again" one after the other, and lists the results of all steps on this page. Without scripts
 * the button leads to one page per step.
 *
 * @module
 */

const STOPPED = "It stopped: the server did not answer as it should. Press “Go on” to try again.";

/** @param {HTMLFormElement} form @returns {Promise<HTMLFormElement | null>} the form of the next step */
async function step(form) {
  const response = await fetch(location.href, { method: "POST", body: new FormData(form), redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = formOf(page);
  const [progress, here] = [page.getElementById("progress"), document.getElementById("progress")];
  if (!progress || !here) throw new Error("another page");
  document.querySelector("#results tbody")?.append(...page.querySelectorAll("#results tbody tr"));
  here.replaceWith(progress);
  if (next) form.replaceWith(next);
  else form.remove();
  return next;
}

/** @param {Document} page */
function formOf(page) {
  return /** @type {HTMLFormElement | null} */ (page.getElementById("go-on"));
}

let form = formOf(document);
try {
  while (form) form = await step(form);
} catch {
  const stopped = document.getElementById("stopped");
  if (stopped) stopped.textContent = STOPPED;
}
