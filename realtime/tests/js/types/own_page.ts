// A page of one's own in strict TypeScript: it has to compile against the types that the package ships.
import { CallsFeed, CallsiteClient, type StateChange, type Turn } from "callsite-client";

const shown: string[] = [];
const tell = ({ state, retryInMs, refused }: StateChange) => shown.push(refused ?? `${state} ${retryInMs ?? 0}`);

const client = new CallsiteClient({ url: "https://calls.example", getToken: async () => "jwt", onState: tell });
client.addEventListener("state", ({ detail }) => shown.push(detail.state, detail.reason ?? ""));
client.addEventListener("state", function once(event) {
  const refused: "signed_out" | "not_permitted" | undefined = event.detail.refused;
  shown.push(String(refused));
  client.removeEventListener("state", once);
}, { once: true });
client.addEventListener("other", (event) => shown.push(event.type)); // any event target takes any type
client.subscribe("EL_42", {
  after: 0,
  onTurn: ({ sequence_number, speaker_type, message_text }: Turn) => shown.push(`${sequence_number} ${speaker_type}: ${message_text}`),
  onCompleted: ({ call_data }) => shown.push(call_data.transcript_summary),
  onError: ({ code, message, identifier }) => shown.push(code, message, identifier),
});

// @ts-expect-error the state has no such field
client.addEventListener("state", ({ detail }) => detail.nothing);
// @ts-expect-error a listener of states is no listener of strings
client.addEventListener("state", (event: string) => event);

/** As the package `ws` has it. */
declare class Ws {
  constructor(address: string | URL, protocols?: string | string[], options?: object);
  readonly readyState: 0 | 1 | 2 | 3;
  onopen: ((event: { target: Ws }) => void) | null;
  onmessage: ((event: { data: string | ArrayBuffer; target: Ws }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: { error: any }) => void) | null;
  send(data: string | ArrayBuffer, done?: (error?: Error) => void): void;
  close(code?: number, data?: string): void;
}

new CallsiteClient({ url: "https://calls.example", token: "jwt", WebSocket: Ws });
new CallsFeed({ WebSocket, onSnapshot: (calls) => shown.push(String(calls.length)), onChange: (call) => shown.push(call.call_sid) })
  .addEventListener("state", ({ detail }) => tell(detail));
