import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MulliganConfig } from "./config.ts";
import { openSetup } from "./setup.ts";

test("one thread per core becomes the number that a run writes down and goes on with", async () => {
  for (const [asked, used] of [
    [0, availableParallelism()],
    [3, 3],
  ] as const) {
    const settings = MulliganConfig.parse({ model: "mini", task: "countdown", threads: asked });
    const setup = await openSetup(settings, { splits: [] });
    expect(setup.config.threads).toBe(used);
    expect(setup.policy.engine.info.threads).toBe(used);
    await setup.close();
  }
});

test("chatTemplateKwargs reach the model's chat template", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-setup-"));
  cpSync("models/mini", folder, { recursive: true });
  const template = "{{ raise_exception('think?') if enable_thinking is not defined }}";
  writeFileSync(
    join(folder, "chat_template.jinja"),
    `${template}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}`,
  );
  const settings = MulliganConfig.parse({ model: folder, threads: 1 });
  await expect(openSetup(settings, { splits: [] })).rejects.toThrow(/think\?/);
  const chatTemplateKwargs = { enable_thinking: false };
  await (await openSetup({ ...settings, chatTemplateKwargs }, { splits: [] })).close();
  rmSync(folder, { recursive: true });
});
