// A program in Node, whose types have events but not the names that browsers give their options.
import { CallsiteClient, type Turn } from "callsite-client";

declare global {
  interface Event { readonly type: string }
  class CustomEvent<Detail> implements Event { readonly type: string; readonly detail: Detail }
  class EventTarget {
    addEventListener(type: string, listener: (event: Event) => void, options?: boolean | { once?: boolean }): void;
    removeEventListener(type: string, listener: (event: Event) => void, options?: boolean | { capture?: boolean }): void;
  }
}

const client = new CallsiteClient({ url: "https://calls.example", token: "jwt" });
const said: string[] = [];
client.addEventListener("state", ({ detail }) => said.push(detail.refused ?? detail.state), { once: true });
client.subscribe("EL_42", { after: 0, onTurn: ({ message_text }: Turn) => said.push(message_text) });
