/** What the page asks of the service, and the problems that come back. */

const KEY = "whosays.key";

/** Tells of `lost` and `back`: whether the service can be reached. */
export const connection = new EventTarget();
let reachable = true;

/** Something that went wrong, in the words of RFC 9457 with `hint` for what to do. */
export class Problem extends Error {
  constructor({ title, detail = "", hint = "", code = "", status = 0 }, retryAfter = null) {
    super(title);
    Object.assign(this, { title, detail, hint, code, status, retryAfter });
  }
}

const OFFLINE = {
  title: "The service cannot be reached",
  detail: `Nothing answers at ${location.host}.`,
  hint: "Check that it runs and that you are connected, then try again.",
  code: "offline",
};
const BROKEN_OFF = {
  title: "The answer broke off",
  detail: "The connection ended before the answer did.",
  hint: "Ask again.",
  code: "broken_off",
};

/** The key that is sent with every request; kept until the tab is closed. */
export const key = {
  get: () => stored()?.getItem(KEY) ?? "",
  set: (value) => (value ? stored()?.setItem(KEY, value) : stored()?.removeItem(KEY)),
};

function stored() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

function note(works) {
  if (works === reachable) return;
  reachable = works;
  connection.dispatchEvent(new Event(works ? "back" : "lost"));
}

/** A response that is fine; raises a Problem otherwise. `as` is a key to use in place of the kept one. */
export async function request(path, { as = key.get(), headers = {}, ...options } = {}) {
  const sent = as ? { ...headers, Authorization: `Bearer ${as}` } : headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers: sent, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    note(false);
    throw new Problem(OFFLINE);
  }
  note(true);
  if (!response.ok) throw await problemIn(response);
  return response;
}

async function problemIn(response) {
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A gateway before the service may answer with a page of its own.
  }
  const title = typeof body.title === "string" ? body.title : `The service answered with status ${response.status}`;
  return new Problem({ ...body, title, status: response.status }, Number.isNaN(wait) ? null : wait);
}

/** JSON from the service. */
export async function fetchJson(path, options) {
  return (await request(path, options)).json();
}

/** A source's name as it stands in an address: its `/` stay, all other marks are encoded. */
export function inPath(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

const texts = new Map();
const TEXTS_KEPT = 12;

/** One source with its text; the last few are kept. `fresh` asks the service again. */
export async function fetchSource(name, fresh = false) {
  if (!fresh && texts.has(name)) return texts.get(name);
  const source = await fetchJson(`v1/sources/${inPath(name)}`);
  texts.delete(name);
  texts.set(name, source);
  if (texts.size > TEXTS_KEPT) texts.delete(texts.keys().next().value);
  return source;
}

/** The events of an answer as `{name, data}`; the last is `answer`. Raises a Problem, also for the event `error`. */
export async function* ask(question, history, signal) {
  const response = await request("v1/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ question, history, stream: true }),
    signal,
  });
  for await (const event of eventsOf(response.body)) {
    if (event.name === "error") throw new Problem(event.data);
    yield event;
    if (event.name === "answer") return;
  }
  throw new Problem(BROKEN_OFF);
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = blocks.pop();
      yield* blocks.map(eventIn).filter((event) => event.data !== undefined);
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Problem) throw error;
    throw new Problem(BROKEN_OFF);
  } finally {
    // Left early, the request ends here and the service stops its work.
    reader.cancel().catch(() => {});
  }
}

function eventIn(block) {
  const lines = block.split("\n").map((line) => line.match(/^(event|data): ?(.*)$/)).filter(Boolean);
  const data = lines.filter(([, field]) => field === "data").map(([, , value]) => value);
  return {
    name: lines.find(([, field]) => field === "event")?.[2] ?? "message",
    data: data.length ? JSON.parse(data.join("\n")) : undefined,
  };
}
