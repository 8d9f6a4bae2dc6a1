// The service sends no rollovers and no goodbyes yet, so there is no error with the code "goodbye".

/** What went wrong, in a word; the client in Go has the same. */
export type Code =
  /** The service closed the connection; `reason` says why. */
  | "goodbye"
  /** The application had no token; `cause` says why. */
  | "token"
  /** The connection gave no sign of life. */
  | "silent"
  /** The connection could not be opened, or was cut. A browser does not say whether the token was refused. */
  | "lost"
  /** Too many messages came before those that were missed. */
  | "full";

export class HeliographError extends Error {
  readonly code: Code;
  /** The service's word, if it gave one. */
  readonly reason?: string;
}

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** What a producer sent. */
export interface Message {
  /** The producer's `Id`, or one that every copy shares. Missing if the service does not speak heliograph.v1. */
  id?: string;
  /** When it was sent, in RFC 3339. */
  sentAt?: string;
  /** Where it stands among the user's kept messages; missing if it is not kept. */
  cursor?: string;
  body: Json;
}

/** The connection that messages now arrive on. */
export interface Live {
  connection: string;
  user: string;
  tokenExpires?: string;
  /** When API Gateway cuts the connection at the latest; the client moves to another one before. */
  closesAt?: string;
  /** The service does not speak heliograph.v1: bodies are texts, and messages have nothing else. */
  raw: boolean;
}

/** Why there is no connection, and in how many milliseconds the next attempt will be. */
export interface Down {
  error: Error;
  retryIn: number;
}

/** Keeps a cursor: how far the application has handled the user's kept messages. */
export interface Storage {
  load(): string | null | undefined | Promise<string | null | undefined>;
  save(cursor: string): unknown;
}

/** Time and chance, for tests. */
export interface Clock {
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** At least 0 and less than 1. */
  random(): number;
}

export interface Options {
  /** Of the WebSocket API, such as `wss://….execute-api.eu-west-1.amazonaws.com/prod`. */
  url: string;
  /** Returns a fresh token. It is called before each connect; if it fails, so does the connect. */
  token(): string | Promise<string>;

  /**
   * Takes a message. The callbacks are called one at a time, in the order of what they report; the next waits for the
   * promise of the last. If one throws, `run` ends with its error, and the message comes again in the next `run`, if it
   * is kept.
   */
  onMessage(message: Message): unknown;
  /** Connected, and all that was missed has been handled. */
  onLive?(live: Live): unknown;
  /** Messages may have been missed for good: load the state anew. */
  onReset?(): unknown;
  /** Disconnected. */
  onDown?(down: Down): unknown;

  /** By default `localStorage`, where there is one, by the key `"heliograph " + url`; otherwise nothing. */
  storage?: Storage;
  /** By default the global one. Node has one from version 22 on; in Node 20, pass that of the package `ws`. */
  WebSocket?: any;
  clock?: Clock;
}

/** One device of a user. */
export class Client {
  constructor(options: Options);

  /**
   * Keeps the client connected until `close` is called; rejects if the service forbids to connect again, or if a callback
   * fails. It can be called once.
   */
  run(): Promise<void>;

  /** Ends the client. What was handed to a callback is finished first; `run` resolves when it is. */
  close(): void;

  /**
   * Verifies the connection now, or connects now if it was waiting to. A page does so by itself when it becomes visible or
   * its network changes; call it for such events of React Native's `AppState` and `NetInfo`.
   */
  check(): void;
}
