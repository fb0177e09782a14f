import { expect, test } from "vitest";
import { HOSTILE } from "../fake-run.test.kit.ts";
import { html, scriptJson } from "./html.ts";

test("escapes values in text and attributes, and keeps markup of other templates", () => {
  const name = `<b title="x">'&`;
  const escaped = "&lt;b title=&quot;x&quot;&gt;&#39;&amp;";
  expect(html`<p title="${name}">${name}${[html`<i>${1}</i>`, false, undefined]}</p>`.markup).toBe(
    `<p title="${escaped}">${escaped}<i>1</i></p>`,
  );
});

test("puts any text as JSON into a script that it cannot end, and gives it back whole", () => {
  const json = scriptJson(HOSTILE);
  expect(json).not.toMatch(/[<>&\u2028\u2029]/);
  expect(JSON.parse(json)).toEqual(HOSTILE);
});
