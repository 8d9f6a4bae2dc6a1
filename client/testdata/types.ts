// What TypeScript has to accept, and what it has to refuse: each line after a @ts-expect-error has to be an error.
import { Client, HeliographError, type Code, type Down, type Live, type Message, type Options, type Storage } from "../js/heliograph.js";

const storage: Storage = { load: () => localStorage.getItem("cursor"), save: (cursor) => localStorage.setItem("cursor", cursor) };
const slow: Storage = { load: async () => undefined, save: async (cursor: string) => void cursor };

const options: Options = {
  url: "wss://example.com/prod",
  token: async () => (await fetch("/token")).text(),
  onMessage: async ({ id, sentAt, cursor, body }: Message) => console.log(id?.length, sentAt, cursor, typeof body === "string" ? body.length : body),
  onLive: ({ connection, user, raw }: Live) => console.log(connection.length, user, raw === true),
  onReset: () => location.reload(),
  onDown: ({ error, retryIn }: Down) => console.log(error instanceof HeliographError && error.code, retryIn.toFixed()),
  storage,
  WebSocket,
};

export async function main(): Promise<void> {
  const client = new Client(options);
  new Client({ url: "", token: () => "", onMessage() {}, storage: slow });
  const ended: Promise<void> = client.run();
  client.check();
  client.close();
  await ended.catch((error: unknown) => {
    if (error instanceof HeliographError) {
      const code: Code = error.code;
      console.log(code === "goodbye" && error.reason);
    }
  });
  // @ts-expect-error the callback is required
  new Client({ url: "", token: () => "" });
  // @ts-expect-error a token is a text
  new Client({ url: "", token: () => 7, onMessage() {} });
}
