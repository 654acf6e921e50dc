// What a page asks of the API, at the address that it came from; and what an answer means.

const PATIENCE_MS = 10000;  // as long as `matchstream play` waits
// From what stands in between when it does not reach the server, and from the server when a body did not come in time.
const PASSING = [408, 502, 503, 504];
const NO_ANSWER = "no answer from the server";
const NOT_OURS = "what answers here is not the server that this page is of: load the page anew";

// Ask, and return the answer: `status` (0: there was none), `value`, and if it is no success `error`, a line that says
// what to do. `mayPass`: the very same may succeed in a moment, not before `againMs`. `now`: the server's time. `version`: of
// a match that was read, what If-Match takes.
export async function ask(method, path, { token, key, version, body } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = `"${key}"`;
  if (version) headers["If-Match"] = `"${version}"`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) options.body = JSON.stringify(body);
  try {
    const answer = await fetch(path, options);
    return understood(answer, await answer.text());
  } catch {
    return { status: 0, isDone: false, error: NO_ANSWER, mayPass: true, againMs: 0 };
  }
}

function understood(answer, text) {
  const { status, ok, headers } = answer;
  const again = headers.get("Retry-After");
  const found = {
    status, isDone: ok, mayPass: PASSING.includes(status) || again !== null, againMs: 1000 * (Number(again) || 0),
    now: Date.parse(headers.get("Date")) || Date.now(), version: /"(.*)"/.exec(headers.get("ETag"))?.[1],
  };
  if (status === 204) return found;
  try {
    found.value = JSON.parse(text);
    if (!ok) found.error = found.value.error;
    if (ok || found.error) return found;
  } catch {
    // as below
  }
  // It is not the server's own: a proxy's, or of a network that wants one to sign in first.
  return { ...found, isDone: false, mayPass: true, error: found.mayPass ? NO_ANSWER : NOT_OURS };
}

// Whether a token is right, without changing anything: it is looked at before a body, and no body is a match.
export async function checkToken(token) {
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    return { status: 401, error: "a token has only letters, digits and -._~+/" };
  }
  return ask("POST", "/1/matches", { token, body: null });
}

// 128 random bits; crypto.randomUUID is only there where a page came by HTTPS.
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A match that has what this page shows of one.
export const isMatch = (value) => ["home", "visit"].every((side) =>
  ["squad", "players", "gone"].every((what) => Array.isArray(value?.[`${side}_${what}`]))) && Number.isInteger(value.seq);
export { NOT_OURS };
