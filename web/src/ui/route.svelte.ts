/** Where the reader is, kept in the fragment so that the back button works and the server needs one page only. */

export type Route = { readonly page: "ward"; readonly bed: string | null } | { readonly page: "charter" };

function parse(hash: string): Route {
  if (hash === "#/charter") return { page: "charter" };
  const bed = /^#\/bed\/(.+)$/.exec(hash)?.[1];
  if (bed === undefined) return { page: "ward", bed: null };
  try {
    return { page: "ward", bed: decodeURIComponent(bed) };
  } catch {
    return { page: "ward", bed: null };
  }
}

class Router {
  route = $state.raw<Route>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => { this.route = parse(location.hash); });
  }

  bed(id: string): void {
    location.hash = `#/bed/${encodeURIComponent(id)}`;
  }

  ward(): void {
    location.hash = "#/";
  }
}

export const router = new Router();
