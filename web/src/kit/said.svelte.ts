/** One short sentence about what was just done, at the foot of the page and for screen readers: `say("The ticket is closed.")`. */
const SHOWN_MS = 7000;

class Said {
  text = $state<string | null>(null);
  #timer: ReturnType<typeof setTimeout> | null = null;

  say(text: string): void {
    this.text = text;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.text = null; }, SHOWN_MS);
  }
}

export const said = new Said();
export const say = (text: string): void => { said.say(text); };
