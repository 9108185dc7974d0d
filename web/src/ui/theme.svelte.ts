/** Dark by default, as monitors are; light for bright offices. Colours are tokens in `styles/tokens.css`; the canvas reads the same tokens. */

const KEPT = "obhut.theme";
export type ThemeName = "dark" | "light";

function initial(): ThemeName {
  try {
    return localStorage.getItem(KEPT) === "light" ? "light" : "dark";
  } catch {
    return "dark";
  }
}

class Theme {
  name = $state<ThemeName>(initial());

  switch(): void {
    this.name = this.name === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEPT, this.name);
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
  }
}

export const theme = new Theme();
