/** The charter's reasons for emergency access. Fetched with the ward, long before anybody needs them, and kept: when they are needed nothing else may have to work. */
import { api } from "../../api/client.ts";
import { bilingual, list, object, text, type Of } from "../../api/shape.ts";

const Reason = object({ id: text, text: bilingual });
export type Reason = Of<typeof Reason>;

class Reasons {
  known = $state.raw<readonly Reason[]>([]);
  /** The server was asked and had none to give. */
  failed = $state(false);

  async fetch(): Promise<void> {
    if (this.known.length > 0) return;
    const answer = await api.get("/break-glass/reasons", object({ reasons: list(Reason) }));
    if (answer.ok) this.known = answer.value.reasons;
    this.failed = this.known.length === 0;
  }
}

export const reasons = new Reasons();
