// Who is signed in, for every page of this origin.
//
// The marketplace signs people in and puts the token where token() looks: into sessionStorage,
// which no other tab, no other site and no later visitor of this browser can read. It is never
// put into an address or a cookie, so no link, log or foreign form carries it. The server alone
// believes or refuses a token; what is read from it here only decides what to show.

const KEY = "pgfeed.token";
const listeners = new Set();
let known = sessionStorage.getItem(KEY);

function claims() {
  const body = sessionStorage.getItem(KEY)?.split(".")[1];
  if (!body) return null;
  try {
    const bytes = Uint8Array.from(
      atob(body.replaceAll("-", "+").replaceAll("_", "/")),
      (letter) => letter.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

// Tells who listens, once for each change, whoever made it.
function notice() {
  const now = sessionStorage.getItem(KEY);
  if (now === known) return;
  known = now;
  for (const listener of listeners) listener(now);
}

export const session = {
  /** The token to send as Authorization: Bearer TOKEN, or null. */
  token: () => sessionStorage.getItem(KEY),

  /** The user's uuid, or null. */
  user: () => claims()?.sub ?? null,

  /** authenticated, feed_analyst, ..., or null. */
  role: () => claims()?.role ?? null,

  /** When the token ends, a Date; null if it does not say. */
  expiresAt() {
    const seconds = claims()?.exp;
    return seconds ? new Date(1000 * seconds) : null;
  },

  signIn(token) {
    sessionStorage.setItem(KEY, token);
    notice();
  },

  signOut() {
    sessionStorage.removeItem(KEY);
    notice();
  },

  /** Calls listener(token or null) after every change; answers a function that stops that. */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

// Back from the marketplace's own sign-in page, with this page as it was left.
addEventListener("pageshow", notice);
