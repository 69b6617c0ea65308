// Takes one step after the other, and puts the results of all of them below each other. Without scripts there is the
// button, which leads to a page for each step.
const STOPPED = "It stopped: the server did not answer as it should. Press “Go on” to try again.";

async function step(form) {
  const response = await fetch(location.href, { method: "POST", body: new FormData(form), redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const rows = page.querySelectorAll("#results tbody tr");
  const next = page.getElementById("go-on");
  if (!page.getElementById("progress")) throw new Error("another page");
  document.querySelector("#results tbody").append(...rows);
  document.getElementById("progress").replaceWith(page.getElementById("progress"));
  if (next) form.replaceWith(next);
  else form.remove();
  return next;
}

let form = document.getElementById("go-on");
try {
  while (form) form = await step(form);
} catch {
  document.getElementById("stopped").textContent = STOPPED;
}
