/** What the functions of a task's author returned, if it is what they must return. Each throws `MulliganError("task")`. */
import { MulliganError } from "../../core/errors.ts";
import type { Message, ToolDefinition } from "../../core/task.ts";

export function messagesFrom(name: string, prompt: unknown): readonly Message[] {
  if (typeof prompt === "string") return [{ role: "user", content: prompt }];
  const isMessage = (value: unknown): value is Message => {
    const { role, content } = (value ?? {}) as Partial<Message>;
    return ["system", "user", "assistant"].includes(role as string) && typeof content === "string";
  };
  if (Array.isArray(prompt) && prompt.every(isMessage) && prompt.at(-1)?.role === "user") return prompt;
  throw new MulliganError("task", `task ${name}: prompt must return text or messages, got ${shown(prompt)}`, {
    hint: 'a message is { role: "system" | "user" | "assistant", content: text }, and the last one is the user\'s',
  });
}

export function toolsFrom(name: string, tools: unknown): readonly ToolDefinition[] {
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isTool = (value: unknown): value is ToolDefinition => {
    const tool = (value ?? {}) as Partial<ToolDefinition>;
    const {
      name,
      description = "",
      parameters = {},
    } = tool.function ?? ({} as Partial<ToolDefinition["function"]>);
    const isNamed = typeof name === "string" && name.trim() !== "";
    return tool.type === "function" && isNamed && typeof description === "string" && isObject(parameters);
  };
  if (Array.isArray(tools) && tools.every(isTool)) return tools;
  throw new MulliganError("task", `task ${name}: tools must return tool definitions, got ${shown(tools)}`, {
    hint: 'a tool is { type: "function", function: { name, description, parameters } }, parameters a JSON schema',
  });
}

export function textFrom(name: string, key: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new MulliganError("task", `task ${name}: ${key} must return text, got ${shown(value)}`);
}

export function answerFrom(name: string, answer: unknown): string | undefined {
  if (answer === undefined || typeof answer === "string") return answer;
  if (typeof answer === "number") return String(answer);
  throw new MulliganError("task", `task ${name}: answer must return text, got ${shown(answer)}`, {
    hint: "the right answer as the model should write it, or undefined where none is known",
  });
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 80);
}
