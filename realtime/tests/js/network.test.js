/** The banner's states, with the page's elements and the server's answers in the hands of the test. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Network } from "../../static/realtime/live/network.js";
import { passes, useFakeBrowser } from "./browser.js";

useFakeBrowser();

const nothing = { turns: 0, begun: 0, ended: 0 };
const waiting = { state: "waiting", code: 1006, retryInMs: 4000 };
const good = (user = "ada") => ({ standing: "good", user, notices: [] });
let elements, answer, done, network;

const banner = () => (elements.banner.hidden ? null : { state: elements.banner.dataset.state, text: elements["banner-text"].textContent });
const lamp = () => elements["network-text"].textContent;

beforeEach(() => {
  elements = {};
  for (const id of ["banner", "banner-text", "banner-act", "network", "network-text", "filter"]) elements[id] = { dataset: {}, hidden: id === "banner", textContent: "", focus() {} };
  Object.assign(document, { getElementById: (id) => elements[id], body: { dataset: {} }, activeElement: null });
  answer = { standing: "unknown" };
  done = [];
  const note = (what) => () => done.push(what);
  network = new Network({ user: "ada", retry: note("retry"), stop: note("stop"), reload: note("reload"), say: () => {}, askStatus: async () => (done.push("ask"), answer) });
  network.changed("list", { state: "open" });
  network.live("list");
});

test("a page that is live has no banner", () => {
  assert.equal(lamp(), "Live");
  assert.equal(banner(), null);
});

test("a blink of the connection is not told", async () => {
  network.changed("list", waiting);
  await passes(0.5);
  network.live("list", nothing);
  await passes(2);
  assert.equal(banner(), null);
  assert.equal(lamp(), "Live");
});

test("a server that does not answer means a lost connection, and the banner counts down to the next try", async () => {
  network.changed("list", waiting);
  await passes(1);
  network.tick();
  assert.deepEqual(banner(), { state: "lost", text: "Connection lost. What you see may be out of date. Next try in 3 s." });
  assert.deepEqual(done, ["ask"]);
  network.live("list", { turns: 2, begun: 0, ended: 0 });
  assert.deepEqual(banner(), { state: "good", text: "Connected again. Caught up: 2 missed turns." });
  await passes(13);
  assert.equal(banner(), null);
});

test("the banner of a lost connection has a button that tries at once", async () => {
  network.changed("list", waiting);
  await passes(1);
  network.tick();
  assert.equal(elements["banner-act"].textContent, "Try now");
  elements["banner-act"].onclick();
  assert.deepEqual(done, ["ask", "retry"]);
});

test("a loss behind good news is told too", async () => {
  network.changed("list", waiting);
  await passes(1);
  network.live("list", nothing);
  await passes(2);
  network.changed("list", waiting);
  await passes(11);
  assert.equal(banner().state, "lost");
});

test("the page is live only when both connections have all", async () => {
  network.changed("list", waiting);
  network.changed("call", waiting);
  await passes(1);
  network.live("list", { turns: 5, begun: 0, ended: 0 });
  network.tick();
  assert.match(banner().text, /^Connection to the open call lost\./);
  assert.equal(lamp(), "Reconnecting…");
  network.live("call");
  assert.deepEqual(banner(), { state: "good", text: "Connected again. Caught up: 5 missed turns." });
  assert.equal(lamp(), "Live");
});

test("a call that is closed is waited for no longer", async () => {
  network.changed("call", waiting);
  await passes(1);
  network.forgetCall();
  assert.equal(lamp(), "Live");
  assert.equal(banner().state, "good");
});

test("signed out and not permitted are told apart, and nobody tries any more", async () => {
  for (const [standing, words] of [["signed-out", "You are signed out."], ["not-permitted", "You may not view calls any more."]]) {
    answer = { standing };
    network.changed("list", { state: "closed", code: 4401 });
    network.looked(); // the second time
    await passes(0.5);
    assert.deepEqual(banner(), { state: standing, text: `${words} What you see is out of date.` });
    assert.equal(lamp(), "Not live");
  }
  assert.deepEqual(done.filter((what) => what !== "ask"), ["stop"]);
});

test("a connection that the server ended though the session is good is made anew, but not in a hot loop", async () => {
  answer = good();
  for (let time = 0; time < 6; time += 1) {
    network.changed("list", { state: "closed", code: 4401 });
    await passes(0.5);
  }
  assert.ok(done.filter((what) => what === "retry").length <= 1, done.join());
  await passes(6);
  assert.ok(done.includes("retry"));
  assert.ok(!done.includes("stop"));
});

test("who was refused is asked about now and then, and when somebody looks", async () => {
  answer = { standing: "signed-out" };
  network.changed("list", { state: "closed", code: 4401 });
  await passes(0.5);
  done.length = 0;
  for (let second = 0; second < 65; second += 1) {
    network.tick();
    await passes(1);
  }
  assert.deepEqual(done, ["ask", "ask"]);
  answer = good();
  network.looked();
  await passes(0.5);
  assert.ok(done.includes("retry"));
  network.live("list", nothing);
  assert.equal(lamp(), "Live");
});

test("a look at the page while a question is on its way is followed by another question", async () => {
  const answers = [];
  network = new Network({ user: "ada", retry: () => done.push("retry"), stop: () => {}, reload: () => {}, say: () => {}, askStatus: () => new Promise((resolve) => answers.push(resolve)) });
  network.heard({ standing: "signed-out" });
  network.tick();
  assert.equal(answers.length, 0); // it was told just now
  network.looked();
  network.looked(); // signed in meanwhile
  answers.shift()({ standing: "signed-out" });
  await passes(0.1);
  answers.shift()(good());
  await passes(0.1);
  assert.equal(answers.length, 0);
  assert.deepEqual(done, ["retry"]);
});

test("another user does not get the page of the first", () => {
  network.heard(good("eve"));
  assert.deepEqual(done, ["reload"]);
});
