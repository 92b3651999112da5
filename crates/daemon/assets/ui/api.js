// The JSON API of the daemon; see docs/api.md.

// Relative to this module, so that it holds behind every reverse proxy, below every path.
const ROOT = new URL('../', import.meta.url);

export const address = (path) => new URL(`api/v1/${path}`, ROOT);

export const programPath = (program) => {
  if (!isAddressable(program)) {
    throw new Failure(0, NO_ADDRESS);
  }
  return `programs/${encodeURIComponent(program.group)}/${encodeURIComponent(program.name)}`;
};

// Whether a program can have an address of its own: as parts of an address, these names lead elsewhere, however they are written
// (https://url.spec.whatwg.org/#double-dot-path-segment).
export const isAddressable = ({ group, name }) => ![group, name].some((part) => part === '.' || part === '..');

export const NO_ADDRESS = 'Browsers cannot ask about a program of this name; supervisorctl can.';

// What went wrong, as the daemon says it (RFC 9457).
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// How far the clock of the daemon is ahead of the browser's, in seconds.
let ahead = 0;

// The time of the daemon, in seconds since the epoch.
export const now = () => Date.now() / 1000 + ahead;

// `within`: how many milliseconds the answer may take as a whole.
async function request(method, path, { body, signal, within } = {}) {
  const limit = within === undefined ? signal : AbortSignal.timeout(within);
  const init = { method, cache: 'no-store', credentials: 'same-origin', signal: limit, headers: {} };
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(address(path), init);
  } catch (cause) {
    if (cause.name === 'AbortError') {
      throw cause;
    }
    throw new Failure(0, 'The daemon does not answer.');
  }
  notice(response.headers.get('Date'));
  if (!response.ok) {
    throw new Failure(response.status, await explanation(response));
  }
  return response;
}

function notice(date) {
  const seconds = Date.parse(date ?? '') / 1000 - Date.now() / 1000;
  if (!Number.isNaN(seconds)) {
    // Headers have whole seconds.
    ahead = Math.abs(seconds) < 2 ? 0 : seconds;
  }
}

async function explanation(response) {
  try {
    const { title, detail } = await response.json();
    return detail ?? title;
  } catch {
    return `${response.status} ${response.statusText}`.trim();
  }
}

async function json(response) {
  const text = await response.text();
  return text === '' ? null : JSON.parse(text);
}

export const get = async (path, options) => json(await request('GET', path, options));
export const post = async (path, body = {}) => json(await request('POST', path, { body }));
export const remove = async (path) => json(await request('DELETE', path));
export const raw = (path, options) => request('GET', path, options);
