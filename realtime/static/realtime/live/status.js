/**
 * The status of the session. To a browser, a refused socket looks like a lost connection, so the page asks over HTTP.
 *
 * @module
 */

const PATIENCE_MS = 8_000;

/**
 * @typedef {{ text: string, fix: string, url: string }} Notice
 * @typedef {{ standing: "good", user: string, notices: Notice[] }
 *   | { standing: "signed-out" | "not-permitted" | "unknown" }} Status `unknown`: callsite itself did not answer
 */

/** @returns {Promise<Status>} */
export async function askStatus() {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch("status/", { cache: "no-store", headers: { Accept: "application/json" }, signal });
    const body = await response.json(); // throws for a proxy's page, which is no JSON
    if (response.ok) return { standing: "good", user: body.user, notices: body.notices };
    if (response.status === 401) return { standing: "signed-out" };
    if (response.status === 403) return { standing: "not-permitted" };
  } catch {
    // the network failed, or a proxy answered
  }
  return { standing: "unknown" };
}
