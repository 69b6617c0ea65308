import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CallsiteClient } from "../../static/realtime/callsite-client.js";
import { FakeWebSocket, answers, passes, settled, useFakeBrowser } from "./browser.js";

useFakeBrowser();

const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
const [, script] = readme.match(/<script type="module">\n(.*?)<\/script>/s);

/** Runs the README's own page, as a reader would copy it, but for the import. */
function page() {
  const said = [];
  const console = { log: (...words) => said.push(words.join(" ")), error: (...words) => said.push(words.join(" ")) };
  const fetchToken = async () => ({ text: async () => "jwt" });
  const body = script.replace(/^ *import \{ CallsiteClient \} from "https:.*callsite-client\.js";$/m, "");
  assert.notEqual(body, script);
  new Function("CallsiteClient", "console", "fetch", body)(CallsiteClient, console, fetchToken);
  return said;
}

test("the README's page tells what was said before, what is said, and the end", async () => {
  const said = page();
  await settled();
  const socket = FakeWebSocket.last.opens();
  assert.equal(socket.url, "wss://your-host/ws/calls/transcriptions");
  const [{ subscribe, after }] = socket.news;
  assert.equal(after, 0);
  const ids = { identifier: subscribe, call_sid: subscribe, conversation_id: null };
  socket.says(
    { type: "subscription_confirmed", ...ids, status: "in_progress", last_sequence_number: 1, message: "" },
    { type: "transcription", ...ids, sequence_number: 1, speaker_type: "agent", message_text: "Hello" },
    { type: "call_completed", ...ids, call_data: { status: "completed" } },
  );
  socket.closes(1006);
  assert.deepEqual(said, ["connection: open", "agent Hello", "ended completed", "connection: waiting"]);
});

test("the README's page tells that there is no such call, and that it is refused", async () => {
  answers(403);
  const said = page();
  await settled();
  FakeWebSocket.last.opens().says({ type: "error", code: "CALL_NOT_FOUND", message: "There is no such call." });
  FakeWebSocket.last.closes(1006);
  await passes(1);
  FakeWebSocket.last.closes(1006);
  await settled();
  assert.deepEqual(said, [
    "connection: open", "CALL_NOT_FOUND There is no such call.", "connection: waiting", "connection: connecting",
    "connection: waiting", "connection: not_permitted",
  ]);
});
