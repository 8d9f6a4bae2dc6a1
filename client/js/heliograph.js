// Keeps a user connected to Heliograph. heliograph.d.ts describes what is exported; the client in Go is the same, with
// more comments. One rule of the code: whatever arrives for a link that was lost is ignored.

const SECOND = 1000, MINUTE = 60 * SECOND;
const KEEP_ALIVE = 5 * MINUTE; // API Gateway cuts a connection after ten idle minutes
const OPEN_TIMEOUT = 30 * SECOND; // a handshake may pend for 29 s
const ANSWER_TIMEOUT = 10 * SECOND;
const OVERTAKEN = SECOND; // how long a message waits for one that it overtook
const LINGER = 10 * SECOND; // of the old connection after a rollover
const MAX_GREETINGS = 3, MAX_HELD = 10_000, MAX_SEEN = 10_000;

const MEANINGS = {
  goodbye: "the service closed the connection",
  token: "there is no token",
  silent: "the connection gave no sign of life",
  lost: "the connection ended",
  full: "too many messages came before those that were missed",
};

export class HeliographError extends Error {
  name = "HeliographError";

  constructor(code, reason, cause) {
    const why = reason || cause?.message;
    super(MEANINGS[code] + (why ? ": " + why : ""), { cause });
    this.code = code;
    this.reason = reason;
  }
}

// placeOf reads a cursor: the position after its last dot, and what identifies the mailbox.
const placeOf = (cursor = "") => {
  const dot = cursor.lastIndexOf(".");
  return { mailbox: cursor.slice(0, Math.max(dot, 0)), position: Number(cursor.slice(dot + 1)) };
};
// reaches: a client at the one place has what is at the other. precedes: the other is the next; "-" is no mailbox yet.
const reaches = (a, b) => a.mailbox !== "" && a.mailbox === b.mailbox && a.position >= b.position;
const precedes = (a, b) => (a.mailbox === b.mailbox && a.position + 1 === b.position) || (a.mailbox === "-" && b.position === 1);

const realClock = {
  setTimeout: (call, ms) => setTimeout(call, ms),
  clearTimeout: (id) => clearTimeout(id),
  random: Math.random,
};

// localCursor keeps the cursor in localStorage, where there is one that may be used, and otherwise nowhere.
function localCursor(url) {
  const key = "heliograph " + url;
  const attempt = (access) => {
    try {
      return access(globalThis.localStorage) ?? undefined;
    } catch {} // forbidden, full, or missing
  };
  return {
    load: () => attempt((storage) => storage.getItem(key)),
    save: (cursor) => attempt((storage) => storage.setItem(key, cursor)),
  };
}

export class Client {
  #options;
  #clock;
  #over; // settles when run has to end
  #end;
  #started;
  #ended;
  #links = new Set();
  #current; // the link that is live
  #next; // the one on its way there
  #retry;
  #failures = 0;
  #leaving; // the service forbids to connect again
  #cursor; // of the last message that arrived in order
  #waiting = []; // kept messages that overtook others
  #asking; // for those
  #seen = new Set();
  #queue = []; // callbacks to call
  #busy;

  constructor(options) {
    if (!options.url || !options.token || !options.onMessage) throw new TypeError("heliograph: the options url, token and onMessage are required");
    this.#options = { WebSocket: globalThis.WebSocket, storage: localCursor(options.url), ...options };
    this.#clock = options.clock ?? realClock;
    this.#over = new Promise((resolve, reject) => (this.#end = { resolve, reject }));
    if (!this.#options.WebSocket) throw new TypeError("heliograph: there is no WebSocket here: pass one as the option WebSocket");
  }

  async run() {
    if (this.#started) throw new Error("heliograph: run was called before; make a new client");
    this.#started = true;
    const check = () => this.check();
    const seen = () => globalThis.document.hidden || this.check();
    const listen = (action) => {
      for (const name of ["online", "offline", "pageshow"]) globalThis[action]?.(name, check);
      globalThis.document?.[action]?.("visibilitychange", seen);
    };
    listen("addEventListener");
    try {
      this.#cursor = (await this.#options.storage.load()) ?? undefined;
      this.#connect();
      await this.#over;
    } finally {
      this.#ended = true;
      listen("removeEventListener");
      this.#clock.clearTimeout(this.#retry);
      this.#asked();
      for (const link of this.#links) this.#drop(link);
      await this.#busy;
    }
  }

  close() {
    this.#ended = true;
    this.#end.resolve();
  }

  check() {
    if (this.#current) this.#ping(this.#current);
    else if (this.#retry) this.#connect();
  }

  // Links.

  async #connect() {
    if (this.#next || this.#ended || this.#leaving) return;
    this.#clock.clearTimeout(this.#retry);
    this.#retry = undefined;
    const link = (this.#next = { held: [], info: {} });
    this.#links.add(link);
    this.#await(link, OPEN_TIMEOUT);
    try {
      const token = await Promise.resolve(this.#options.token()).catch((error) => Promise.reject(new HeliographError("token", undefined, error)));
      if (link.lost || this.#ended) return;
      const socket = (link.socket = new this.#options.WebSocket(this.#options.url, ["heliograph.v1", "heliograph", "bearer." + token]));
      socket.onopen = () => this.#opened(link);
      socket.onmessage = ({ data }) => link.lost || this.#ended || this.#receive(link, data);
      socket.onerror = ({ message }) => this.#lose(link, new HeliographError("lost", message)); // a close need not follow in Node
      socket.onclose = ({ code, reason }) => this.#lose(link, new HeliographError("lost", reason || "code " + code));
    } catch (error) {
      this.#lose(link, error);
    }
  }

  #opened(link) {
    if (link.lost || this.#ended) return;
    if (link.socket.protocol !== "heliograph.v1") {
      link.raw = true;
      return this.#settle(link, {});
    }
    this.#greet(link, 1);
  }

  #greet(link, times) {
    if (times > MAX_GREETINGS) return this.#lose(link, new HeliographError("silent"));
    this.#hello(link);
    this.#arm(link, ANSWER_TIMEOUT, () => this.#greet(link, times + 1)); // the function behind it may have failed
  }

  #hello(link) {
    this.#send(link, { action: "hello", after: this.#cursor });
  }

  #send(link, frame) {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    if (link.socket.readyState === 1) link.socket.send(text);
  }

  #arm(link, ms, call) {
    this.#clock.clearTimeout(link.timer);
    link.timer = this.#clock.setTimeout(call, ms);
  }

  #await(link, ms) {
    this.#arm(link, ms, () => this.#lose(link, new HeliographError("silent")));
  }

  #ping(link) {
    if (link.pinged) return;
    link.pinged = true;
    this.#send(link, { action: "ping" });
    this.#await(link, ANSWER_TIMEOUT);
  }

  #rest(link) {
    link.pinged = false;
    this.#arm(link, KEEP_ALIVE, () => this.#ping(link));
  }

  #drop(link) {
    link.lost = true;
    this.#clock.clearTimeout(link.timer);
    this.#clock.clearTimeout(link.steady);
    this.#links.delete(link);
    link.socket?.close(1000);
  }

  #lose(link, error) {
    if (link.lost || this.#ended) return;
    this.#drop(link);
    if (link === this.#current) {
      this.#current = undefined;
      if (this.#next) return this.#down(error, 0);
    } else if (link === this.#next) this.#next = undefined;
    else return; // it was the old one of a rollover
    const retryIn = this.#clock.random() * Math.min(30 * SECOND, 500 * 2 ** this.#failures++);
    if (!this.#current) this.#down(error, retryIn);
    this.#clock.clearTimeout(this.#retry);
    this.#retry = this.#clock.setTimeout(() => this.#connect(), retryIn);
  }

  // What arrives.

  #receive(link, data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {} // no frame of v1
    if (link.raw) {
      if (data === '{"action":"pong"}') this.#rest(link);
      else this.#deliver({ body: data });
      return;
    }
    if (!frame || typeof frame !== "object") return;
    if (frame.action === "pong") return this.#rest(link);
    if (link.greeted && !link.live) this.#await(link, OPEN_TIMEOUT);
    const { type, ...members } = frame;
    if (type === "hello") {
      link.info = members;
      link.greeted = true;
      if (!link.live) this.#await(link, OPEN_TIMEOUT);
    }
    else if (type === "message") this.#take(link, members);
    else if (type === "missed") this.#missed(members.messages);
    else if (type === "live") this.#settle(link, members);
    else if (type === "rollover" && link === this.#current) this.#connect();
    else if (type === "goodbye" && (link === this.#current || link === this.#next)) this.#goodbye(link, members);
  }

  // take hands a message on if it is next. Until a link is live, none is: messages that were missed come first.
  #take(link, message) {
    const here = placeOf(this.#cursor), there = placeOf(message.cursor);
    if (!link.live) {
      if (link.held.push(message) > MAX_HELD) this.#lose(link, new HeliographError("full"));
    } else if (!message.position) this.#deliver(message);
    else if (reaches(here, there)) return; // a copy
    else if (precedes(here, there)) {
      this.#advance(message);
      this.#takeWaiting();
    } else {
      // It overtook another, or is of another mailbox. If the other does not come, it is asked for.
      this.#waiting.push(message);
      this.#waiting.sort((a, b) => a.position - b.position);
      if (here.mailbox !== there.mailbox) this.#asking || this.#ask();
      else this.#asking ??= this.#clock.setTimeout(() => this.#ask(), OVERTAKEN);
    }
  }

  #advance(message) {
    this.#cursor = message.cursor;
    this.#deliver(message, message.cursor);
  }

  #ask() {
    if (!this.#current) return;
    this.#hello(this.#current);
    this.#asking = this.#clock.setTimeout(() => this.#ask(), ANSWER_TIMEOUT);
  }

  #asked() {
    this.#clock.clearTimeout(this.#asking);
    this.#asking = undefined;
  }

  #takeWaiting() {
    while (this.#waiting.length) {
      const here = placeOf(this.#cursor), next = placeOf(this.#waiting[0].cursor), is = precedes(here, next);
      if (!is && !reaches(here, next)) return;
      const message = this.#waiting.shift();
      if (is) this.#advance(message);
    }
    this.#asked();
  }

  #missed(messages) {
    for (const message of messages) if (!reaches(placeOf(this.#cursor), placeOf(message.cursor))) this.#advance(message);
  }

  // settle has all that was missed. If it is a link's first time, the link becomes the current one.
  #settle(link, { cursor, reset }) {
    if (reset) this.#tell(() => this.#options.onReset?.());
    if (cursor !== undefined && (reset || !reaches(placeOf(this.#cursor), placeOf(cursor)))) this.#cursor = cursor;
    else cursor = undefined; // another link has got further
    if (!link.live) this.#promote(link, cursor);
    else this.#save(cursor);
    const aside = [...this.#waiting.splice(0), ...link.held.splice(0)];
    this.#asked();
    for (const message of aside) this.#take(link, message);
  }

  #promote(link, cursor) {
    const old = this.#current;
    link.live = true;
    this.#current = link;
    this.#next = undefined;
    this.#rest(link);
    this.#tell(() => this.#options.onLive?.({ connection: "", user: "", ...link.info, raw: !!link.raw }), cursor);
    if (old) this.#arm(old, LINGER, () => this.#drop(old));
    link.steady = this.#clock.setTimeout(() => (this.#failures = 0), MINUTE);
  }

  #goodbye(link, { reason, again }) {
    const error = new HeliographError("goodbye", reason);
    if (again !== false) return this.#lose(link, error);
    this.#leaving = true;
    this.#tell(() => Promise.reject(error)); // after what arrived before
  }

  #deliver({ position, ...message }, cursor) {
    const { id } = message;
    if (id) {
      if (this.#seen.has(id)) return this.#save(cursor);
      this.#seen.add(id);
      if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value);
    }
    this.#tell(() => this.#options.onMessage(message), cursor);
  }

  #save(cursor) {
    if (cursor !== undefined) this.#tell(() => {}, cursor);
  }

  // The application.

  #down(error, retryIn) {
    this.#tell(() => this.#options.onDown?.({ error, retryIn }));
  }

  #tell(call, cursor) {
    this.#queue.push({ call, cursor });
    this.#busy ??= this.#pump();
  }

  async #pump() {
    try {
      while (this.#queue.length && !this.#ended) {
        const { call, cursor } = this.#queue.shift();
        await call();
        if (cursor !== undefined) await this.#options.storage.save(cursor);
      }
    } catch (error) {
      this.#ended = true;
      this.#end.reject(error);
    }
    this.#busy = undefined;
  }
}
