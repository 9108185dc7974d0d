/** Where the reader is, kept in the fragment so that the back button works and the server needs one page only. */

class Router {
  /** `#/people?page=2`, as it stands in the address bar. */
  hash = $state(location.hash);

  constructor() {
    addEventListener("hashchange", () => { this.hash = location.hash; });
  }

  /** To another page: `router.go("/people")`. */
  go(to: string): void {
    location.hash = `#${to}`;
  }

  /** To the start, without a step for the back button; leaves nothing of the fragment in the address bar. */
  clear(): void {
    history.replaceState(null, "", location.pathname);
    this.hash = "";
  }
}

export const router = new Router();
