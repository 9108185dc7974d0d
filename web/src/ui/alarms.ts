/** What the screens say about a bed's alarms as a whole. Pure, but for the words. */
import { acts } from "../api/alarms.svelte.ts";
import { api, path } from "../api/client.ts";
import { number, object } from "../api/shape.ts";
import { answerable, inOrder, type BedRow } from "../live/alarms.ts";

export interface Notice {
  readonly word: "standby" | "alarms" | "off" | "audio";
  /** Until when, µs; `null`: until somebody ends it. */
  readonly until: number | null;
}

/** What is put to rest at a bed, the gravest first; `null`: nothing. */
export function notice(row: BedRow): Notice | null {
  if (row.standby_since !== null) return { word: "standby", until: null };
  if (row.alarms_paused_until !== null) return { word: "alarms", until: row.alarms_paused_until };
  if (row.audio_off) return { word: "off", until: null };
  if (row.audio_paused_until !== null) return { word: "audio", until: row.audio_paused_until };
  return null;
}

/** Whether the tile needs a line for it. */
export function hasLine(row: BedRow | null): row is BedRow {
  return row !== null && (row.alarms.length > 0 || notice(row) !== null);
}

/** Acknowledges what stands first at a bed. */
export function acknowledgeFirst(row: BedRow): void {
  const first = inOrder(row.alarms).find(answerable);
  if (first) void acts.at(row.bed, { do: "acknowledge", alarm: first.id });
}

const Longest = object({ audio_pause_max: number });

/** Pauses the sound of a bed for as long as its profile allows. */
export async function pauseAudio(bed: string): Promise<void> {
  const asked = await api.get(path`/beds/${bed}/limits`, Longest);
  if (asked.ok) await acts.at(bed, { do: "pause-audio", seconds: asked.value.audio_pause_max });
  else acts.failed.set(bed, { id: "", what: { do: "pause-audio", seconds: 0 }, problem: asked.problem, again: () => { void pauseAudio(bed); } });
}
