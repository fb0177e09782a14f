/** The words around a tool-calling row, and the tools in words of our own for models whose template has no place for them. */
import type { Message, ToolDefinition } from "../../core/task.ts";

/** The paper's (arXiv 2505.24726), for function calling. */
export const TOOL_REFLECTION =
  "You tried performing the task, but failed in generating the correct tool call. Reflect on what went wrong and write " +
  "a short explanation that will help you do better next time.";

export function toolRetry(question: string): string {
  return `You tried performing the task, but failed in generating the correct tool call. Try again.\n\n${question}`;
}

export const TOOL_PROMPTS = ["template", "hermes", "json"] as const;
/** Where the model sees the tools: its own chat template, or words of one of two common styles. */
export type ToolPrompt = (typeof TOOL_PROMPTS)[number];

/** The conversation with the tools written into it; as it is where the template shows them. */
export function promptWithTools(
  messages: readonly Message[],
  tools: readonly ToolDefinition[],
  style: ToolPrompt,
): readonly Message[] {
  if (style === "template") return messages;
  if (style === "json") {
    const first = messages.findIndex(({ role }) => role === "user");
    return messages.map((message, i) =>
      i === first ? { role: "user", content: `${jsonText(tools)}\n\n${message.content}` } : message,
    );
  }
  const [first] = messages;
  if (first?.role !== "system") return [{ role: "system", content: hermesText(tools) }, ...messages];
  return [{ role: "system", content: `${first.content}\n\n${hermesText(tools)}` }, ...messages.slice(1)];
}

/** After Qwen2.5's template. */
function hermesText(tools: readonly ToolDefinition[]): string {
  return `# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${tools.map((tool) => JSON.stringify(tool)).join("\n")}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>`;
}

/** After Llama 3's template; several calls are ours to ask for. */
function jsonText(tools: readonly ToolDefinition[]): string {
  return `Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.

Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}. Do not use variables. If several calls are needed, write one such object on each line.

${tools.map((tool) => JSON.stringify(tool)).join("\n\n")}`;
}
