// Words on buttons and fields that browser tests press and fill, out of the pages' own message files: a test then reads like a person's day in either language.
import { readFile, readdir } from "node:fs/promises";
import { FluentBundle, FluentResource } from "@fluent/bundle";

const folder = new URL("../src/i18n/", import.meta.url);
const bundles = {};
for (const language of ["de", "en"]) {
  const bundle = new FluentBundle(language, { useIsolating: false });
  for (const name of await readdir(folder)) if (name === `${language}.ftl` || name.endsWith(`.${language}.ftl`)) bundle.addResource(new FluentResource(await readFile(new URL(name, folder), "utf8")));
  bundles[language] = bundle;
}

/** `t("de")("patient-take-over")`: what stands on the screen. An id that is not there is a fault of the test. */
export const t = (language) => (id, args = {}) => {
  const message = bundles[language].getMessage(id);
  if (!message?.value) throw new Error(`no message ${id}`);
  return bundles[language].formatPattern(message.value, args);
};
