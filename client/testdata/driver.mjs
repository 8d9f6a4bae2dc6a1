// An application that uses the client in JavaScript, driven over a WebSocket by the tests in Go. It runs in Node and in a
// page. Its clock stands still until it is told to go on.
import { Client } from "../js/heliograph.js";

class Clock {
  now = 0;
  timers = new Map();
  last = 0;

  setTimeout = (call, ms) => (this.timers.set(++this.last, { call, at: this.now + ms }), this.last);
  clearTimeout = (id) => this.timers.delete(id);
  random = () => 0.5;

  async advance(ms) {
    for (const end = this.now + ms; ; ) {
      const [id, next] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!next || next.at > end) return void (this.now = end);
      this.now = next.at;
      this.timers.delete(id);
      next.call();
      await settled();
    }
  }
}

// settled lets promises that are ready go on.
const settled = () => new Promise((done) => setTimeout(done));

export function drive(control) {
  const socket = new WebSocket(control);
  let clock, client, cursor, handled, emit, round = 0;

  const failure = (error, more) => error && { code: error.code ?? String(error), ...(error.reason && error.code !== "lost" && { reason: error.reason }), ...more };

  const commands = {
    start(from, { url, manual, failTokens }) {
      cursor = from;
      clock = new Clock();
      let tokens = 0;
      const mine = ++round;
      const say = (emit = (name, value) => mine === round && socket.send(JSON.stringify({ event: { [name]: value } })));
      client = new Client({
        url, clock,
        token: async () => {
          if (++tokens <= failTokens) throw new Error("no token");
          return "token-" + tokens;
        },
        storage: { load: async () => cursor || undefined, save: async (c) => (cursor = c) },
        onMessage: async ({ id, body }) => {
          say("message", { body, ...(id && { id }) });
          if (manual && (await new Promise((done) => (handled = done))) === "fail") throw Object.assign(new Error(), { code: "application" });
        },
        onLive: ({ connection, user, raw }) => say("live", { connection, user, raw }),
        onReset: () => say("reset", true),
        onDown: ({ error, retryIn }) => say("down", failure(error, { retryIn })),
      });
      client.run().then(() => say("end", null), (error) => say("end", failure(error)));
    },
    over() {
      round++; // what the client says from now on counts no more
      client.close();
    },
    check: () => client.check(),
    end: () => client.close(),
    handle: (how) => handled(how),
    fire: (name) => globalThis.dispatchEvent(new Event(name)),
    advance: (ms) => clock.advance(ms),
    stored() {},
  };

  socket.onmessage = async ({ data }) => {
    const command = JSON.parse(data);
    for (const name in command) if (commands[name]) await commands[name](command[name], command);
    await settled();
    socket.send(JSON.stringify({ done: cursor ?? "" }));
  };
}

if (globalThis.process?.argv) drive(process.argv[2]);
