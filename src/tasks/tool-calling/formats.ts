/** The three formats of rows that people have, each turned into the one row that the task knows. */
import type { Message, ToolDefinition } from "../../core/task.ts";
import {
  formatLiteral,
  isList,
  isObject,
  type Literal,
  type LiteralObject,
  parseLiteral,
} from "../../verify/calls/literal.ts";
import { RowError } from "../rows.ts";
import type { ToolCallingRow } from "./row.ts";
import { listOf, objectOf, plainFrom, textOf } from "./row-columns.ts";
import { schemaFromBfcl, schemaFromPython } from "./types.ts";

/** `{id, query, tools, answers}`, tools and answers as text that holds JSON (Salesforce/xlam-function-calling-60k). */
export function rowFromXlam(row: LiteralObject, index: number): ToolCallingRow {
  return {
    id: idOf(row) ?? `row-${index + 1}`,
    messages: [{ role: "user", content: textOf(row, "query") }],
    tools: listOf(row, "tools").map(toolFromXlam),
    answers: callsText(listOf(row, "answers")),
    answerFormat: "calls",
  };
}

/** `{id, question: [[message, ...]], function: [definition, ...]}`, with the answers of `possible_answer/` by id. */
export function rowFromBfcl(row: LiteralObject, accepted: ReadonlyMap<string, Literal>): ToolCallingRow {
  const id = textOf(row, "id");
  const turns = listOf(row, "question");
  if (turns.length !== 1) throw new RowError(`question must have one turn, got ${turns.length}`);
  const answer = accepted.get(id) ?? (id.includes("irrelevance") ? [] : undefined);
  if (answer === undefined) throw new RowError(`no answer is given for "${id}"`);
  return {
    id,
    messages: messagesFrom(isList(turns[0]!) ? turns[0] : []),
    tools: listOf(row, "function").map(toolFromBfcl),
    answers: bfclAnswersText(answer),
    answerFormat: "bfcl",
  };
}

/** `{messages, tools}`; the answer is in `answers`, or else the tool_calls of the last message, the assistant's. */
export function rowFromOpenAi(row: LiteralObject, index: number): ToolCallingRow {
  const messages = [...listOf(row, "messages")];
  const answers = row.has("answers") ? listOf(row, "answers") : toolCallsOf(messages.pop());
  return {
    id: idOf(row) ?? `row-${index + 1}`,
    messages: messagesFrom(messages),
    tools: listOf(row, "tools").map(toolFromOpenAi),
    answers: callsText(answers),
    answerFormat: "calls",
  };
}

function idOf(row: LiteralObject): string | undefined {
  const id = row.get("id");
  return typeof id === "string" || typeof id === "bigint" ? String(id) : undefined;
}

function messagesFrom(messages: readonly Literal[]): Message[] {
  const read = messages.map((value): Message => {
    const message = objectOf(value, "a message");
    const role = message.get("role");
    if (role !== "system" && role !== "user" && role !== "assistant") {
      throw new RowError(
        `a message must be of system, user or assistant, got ${JSON.stringify(plainFrom(role ?? null))}`,
      );
    }
    return { role, content: textOf(message, "content") };
  });
  if (read.at(-1)?.role === "user") return read;
  throw new RowError("the last message before the answer must be the user's");
}

/** Parameters by name, `{description, type, default}`; one with a default, or of an optional type, may be left out. */
function toolFromXlam(value: Literal): ToolDefinition {
  const tool = objectOf(value, "a tool");
  const given = tool.get("parameters") ?? new Map<string, Literal>();
  const required: string[] = [];
  const properties = [...objectOf(given, "parameters")].map(([name, item]) => {
    const { type, ...rest } = plainFrom(objectOf(item, `the parameter ${name}`)) as Record<string, unknown>;
    const { schema, optional } = schemaFromPython(String(type ?? ""));
    if (!optional && rest.default === undefined) required.push(name);
    return [name, { ...schema, ...rest }];
  });
  return definition(tool, { type: "object", properties: Object.fromEntries(properties), required });
}

function toolFromBfcl(value: Literal): ToolDefinition {
  const tool = objectOf(value, "a function");
  const schema = schemaFromBfcl(plainFrom(objectOf(tool.get("parameters"), "parameters")));
  if (typeof schema !== "string") return definition(tool, schema);
  throw new RowError(`the type "${schema.slice(0, 40)}" is none of BFCL's for Python`);
}

function toolFromOpenAi(value: Literal): ToolDefinition {
  const tool = objectOf(value, "a tool");
  const inner = tool.has("function") ? objectOf(tool.get("function"), "function") : tool;
  const parameters = inner.get("parameters") ?? new Map<string, Literal>([["type", "object"]]);
  return definition(inner, plainFrom(objectOf(parameters, "parameters")) as Record<string, unknown>);
}

function definition(tool: LiteralObject, parameters: Record<string, unknown>): ToolDefinition {
  const description = tool.get("description");
  return {
    type: "function",
    function: {
      name: textOf(tool, "name"),
      ...(typeof description === "string" && { description }),
      parameters,
    },
  };
}

function toolCallsOf(message: Literal | undefined): readonly Literal[] {
  const last = objectOf(message, "the last message");
  if (last.get("role") === "assistant" && last.has("tool_calls")) return listOf(last, "tool_calls");
  throw new RowError("needs answers, or a last message of the assistant's with tool_calls");
}

/** `{name, arguments}`, also inside `{type: "function", function}` and with the arguments as text. */
function callsText(calls: readonly Literal[]): string {
  const clean = calls.map((value) => {
    const outer = objectOf(value, "an answer");
    const call = outer.has("function") ? objectOf(outer.get("function"), "function") : outer;
    const given = call.get("arguments") ?? new Map<string, Literal>();
    const args = objectOf(typeof given === "string" ? parseLiteral(given) : given, "arguments");
    return new Map<string, Literal>([
      ["name", textOf(call, "name")],
      ["arguments", args],
    ]);
  });
  return formatLiteral(clean);
}

/** One key, the function; below it a list of accepted values for each argument. */
function bfclAnswersText(answers: Literal): string {
  if (!isList(answers)) throw new RowError("ground_truth must be a list");
  for (const answer of answers) {
    const [entry, ...more] = objectOf(answer, "an answer");
    const isAnswer = entry !== undefined && more.length === 0 && isObject(entry[1]);
    const accepted = isAnswer ? [...(entry[1] as LiteralObject).values()] : [];
    if (isAnswer && accepted.every(isList)) continue;
    throw new RowError("an answer must be { function: { argument: [accepted, ...] } }");
  }
  return formatLiteral(answers);
}
