import svelte from "eslint-plugin-svelte";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default ts.config(
  { ignores: ["dist/", "node_modules/"] },
  {
    files: ["src/**/*.ts", "src/**/*.svelte", "tests/**/*.ts"],
    extends: [...ts.configs.strictTypeChecked, ...svelte.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, extraFileExtensions: [".svelte"], parser: ts.parser, svelteConfig } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Numbers from a typed loop index are the normal case in signal code; `noUncheckedIndexedAccess` already makes every read say what happens when there is nothing.
      "@typescript-eslint/prefer-for-of": "off",
    },
  },
  { files: ["src/**/*.svelte"], languageOptions: { parserOptions: { parser: ts.parser } } },
  // node:test returns promises the runner keeps.
  { files: ["tests/**/*.ts"], rules: { "@typescript-eslint/no-floating-promises": "off" } },
);
