import svelte from "eslint-plugin-svelte";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

const typed = { projectService: true, extraFileExtensions: [".svelte"] };

export default ts.config(
  { ignores: ["dist/", "node_modules/", "**/*.mjs", "*.js", "vite.config.ts"] },
  { files: ["src/**/*.ts", "src/**/*.svelte", "tests/**/*.ts"], extends: [...ts.configs.strictTypeChecked] },
  ...svelte.configs.recommended,
  { files: ["src/**/*.ts", "tests/**/*.ts"], languageOptions: { parser: ts.parser, parserOptions: typed } },
  { files: ["src/**/*.svelte", "src/**/*.svelte.ts"], languageOptions: { parserOptions: { ...typed, parser: ts.parser, svelteConfig } } },
  {
    files: ["src/**/*.ts", "src/**/*.svelte", "tests/**/*.ts"],
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // `void x` is how an effect says that it depends on x.
      "@typescript-eslint/no-meaningless-void-operator": "off",
      // Types that a .svelte module exports are not resolved by the linter's program; svelte-check covers them.
      "svelte/prefer-svelte-reactivity": "off",
      // All navigation is inside one page, by fragment.
      "svelte/no-navigation-without-resolve": "off",
    },
  },
  {
    // What snippets are given and what .svelte modules export has no type for the linter's program; svelte-check, which knows them, covers these rules.
    files: ["src/**/*.svelte"],
    rules: {
      "prefer-const": "off",
      "svelte/prefer-const": ["error", { destructuring: "all" }],
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-redundant-type-constituents": "off",
      // The handle of an element is there after mounting; the linter takes it for always.
      "@typescript-eslint/no-unnecessary-condition": "off",
    },
  },
  // node:test returns promises that its runner keeps.
  { files: ["tests/**/*.ts"], rules: { "@typescript-eslint/no-floating-promises": "off" } },
);
