/** Words for what went wrong. A code without words of its own gets the words of its status; the server's English sentence is added where it helps. */
import type { Problem } from "../api/client.ts";
import { t, words } from "../i18n/language.svelte.ts";

export function problemText(problem: Problem): string {
  if (words.has(`problem-${problem.code}`)) return t(`problem-${problem.code}`);
  const status = problem.status >= 500 ? "5xx" : String(problem.status);
  return words.has(`problem-status-${status}`) ? t(`problem-status-${status}`) : t("problem-other", { code: problem.code });
}

/** The server's own sentence, where the page has no words for the code. It is English: it never stands on a German page. */
export function problemDetail(problem: Problem): string | null {
  if (words.language !== "en" || words.has(`problem-${problem.code}`)) return null;
  return [problem.message, problem.hint].filter((each) => each !== null).join(" ") || null;
}
