/** The live ward of this page: one for all pages of a session, there only for people who may see it. */
import { session } from "../api/session.svelte.ts";
import { Ward } from "../live/ward.svelte.ts";

class Live {
  ward = $state.raw<Ward | null>(null);

  start(): void {
    if (this.ward !== null) return;
    this.ward = new Ward(async () => {
      const answer = await session.refresh();
      if (answer.ok) return "valid";
      return answer.problem.code === "signed_out" ? "ended" : "unreachable";
    });
    this.ward.start();
  }

  stop(): void {
    this.ward?.stop();
    this.ward = null;
  }
}

export const live = new Live();
