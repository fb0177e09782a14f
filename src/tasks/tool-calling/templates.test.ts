/** The rows in the chat templates of real models, where their tokenizers are present; skipped elsewhere. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadChat } from "../../text/chat.ts";
import { toolCalling } from "./task.ts";

const TOKENIZERS = "../shared/tokenizers";

describe.each(["qwen2.5-instruct", "qwen3", "llama-3.1-instruct"])("%s", (name) => {
  const folder = `${TOKENIZERS}/${name}`;

  test.skipIf(!existsSync(folder))("shows every tool and parameter of a row, and the query", async () => {
    const chat = await loadChat(folder);
    const task = toolCalling({ test: 20 });
    for (const { row } of await task.problems("test")) {
      const text = chat.tokenizer.decode(chat.start(task.prompt(row), task.tools?.(row)).tokens);
      for (const { function: tool } of row.tools) {
        expect(text).toContain(`"name": "${tool.name}"`);
        for (const parameter of Object.keys(tool.parameters!.properties as object)) {
          expect(text).toContain(`"${parameter}"`);
        }
      }
      expect(text).toContain(row.messages[0]!.content);
    }
  });
});

const PHI = `${TOKENIZERS}/phi-3.5-mini-instruct`;
test.skipIf(!existsSync(PHI))(
  "a template without a place for tools is refused, and our words do",
  async () => {
    const chat = await loadChat(PHI);
    const task = toolCalling({ test: 1 });
    const [{ row }] = (await task.problems("test")) as [Awaited<ReturnType<typeof task.problems>>[number]];
    expect(() => chat.start(task.prompt(row), task.tools?.(row))).toThrow(/must write the tools/);
    for (const tools of ["hermes", "json"] as const) {
      const worded = toolCalling({ tools });
      const text = chat.tokenizer.decode(chat.start(worded.prompt(row), worded.tools?.(row)).tokens);
      expect(text).toContain(`"name":"${row.tools[0]!.function.name}"`);
    }
  },
);
