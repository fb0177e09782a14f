/**
 * Do tokens and text say the same? What the tokenizer loses the model never sees; what the template rewrites the model
 * never trained on. Tried on the task's own texts. Knows no engine.
 */
import { isDeepStrictEqual } from "node:util";
import type { Conversation } from "../../core/episode.ts";
import { excerpt } from "../../core/printable.ts";
import type { Message, Problem, Task } from "../../core/task.ts";
import type { Chat } from "../../loop/policy.ts";
import { type Finding, failed, findingFrom, ok, warning } from "./check.ts";

/** All that a model is shown of a task's problems, and what it is to write. */
export function textsOf(task: Task, problems: readonly Problem[]): string[] {
  const texts = problems.flatMap(({ row }) => [
    ...task.prompt(row).map(({ content }) => content),
    ...[task.reflectionPrompt(row), task.retryPrompt(row), task.answer?.(row) ?? ""],
  ]);
  return texts.filter((text) => text !== "");
}

/** The task's texts come back from tokens as they were, control tokens cannot be spelt, and a turn has an end. */
export function checkTokenizer({ tokenizer, stopTokens }: Chat, texts: readonly string[]): Finding {
  const lost = texts.find((text) => tokenizer.decode(tokenizer.encode(text)).trim() !== text.trim());
  if (lost !== undefined) {
    return failed(
      `${excerpt(lost)} becomes ${excerpt(tokenizer.decode(tokenizer.encode(lost)))}`,
      "the vocabulary lacks what the task is written in: use another model, or write the task in characters that it knows",
    );
  }
  const [end] = stopTokens;
  const nameOf = (id: number) => tokenizer.decodeWithSpecials([id]);
  const nameless = stopTokens.find((id) => nameOf(id) === "");
  if (end === undefined || nameless !== undefined) {
    return failed(
      end === undefined
        ? "no token ends a turn"
        : `token ${nameless} ends a turn, but the vocabulary has no such token`,
      "correct eos_token in tokenizer_config.json, or eos_token_id in generation_config.json",
    );
  }
  const spelt = stopTokens.find((id) =>
    tokenizer.encode(nameOf(id)).some((one) => tokenizer.controlIds.has(one)),
  );
  if (spelt !== undefined) {
    return failed(
      `a text that spells ${nameOf(spelt)} ends a turn`,
      "mark that token as special in tokenizer.json",
    );
  }
  const stops = stopTokens.map(nameOf).join(" or ");
  return ok(`${texts.length} texts of the task come back whole; a turn ends with ${stops}`);
}

/**
 * Each turn's tokens begin the next one's, whatever was sampled; and the model's own template would write the whole
 * conversation in the same way, which other programs will do.
 */
export function checkTemplate(chat: Chat, task: Task, problems: readonly Problem[]): Finding {
  try {
    let written = 0;
    for (const problem of problems) {
      const { turns, messages } = conversationAbout(chat, task, problem);
      const broken = turns.findIndex((turn, i) => i > 0 && !isPrefix(turns[i - 1]!, turn));
      if (broken !== -1) {
        return failed(
          `problem "${problem.id}": turn ${broken} is not the beginning of turn ${broken + 1}`,
          "the chat rewrites what was sampled: a model trained on it would be another than the one that is served",
        );
      }
      if (writesAlike(chat, messages, turns.at(-1)!, task.tools?.(problem.row))) written++;
    }
    const found = `each turn's tokens begin the next one's, in ${problems.length} conversations`;
    if (written === problems.length) return ok(`${found}, as the template itself writes them`);
    return warning(
      `${found}; the template itself would rewrite earlier turns`,
      "fine for a run, which keeps what was sampled; a server that renders whole conversations shows the model other tokens",
    );
  } catch (error) {
    return findingFrom(error);
  }
}

/** Stands for what a model would have written: plain words, on which templates have nothing to trim. */
const WORDS = "12";

function conversationAbout(chat: Chat, task: Task, { row }: Problem) {
  const reflectionPrompt = task.reflectionPrompt(row);
  const retryPrompt = task.retryPrompt(row);
  const said = [...chat.tokenizer.encode(WORDS), ...chat.stopTokens.slice(0, 1)];
  const prompt = chat.start(task.prompt(row), task.tools?.(row));
  const attempted = chat.appendSampled(prompt, "attempt", said);
  const asked = chat.appendTurn(attempted, "reflection-prompt", reflectionPrompt);
  const reflected = chat.appendSampled(asked, "reflection", said);
  const again = chat.appendTurn(reflected, "retry-prompt", retryPrompt);
  const assistant: Message = { role: "assistant", content: WORDS };
  const messages: Message[] = [
    ...task.prompt(row),
    ...[assistant, { role: "user" as const, content: reflectionPrompt }],
    ...[assistant, { role: "user" as const, content: retryPrompt }],
  ];
  return { turns: [prompt, attempted, asked, reflected, again], messages };
}

function isPrefix({ tokens: before }: Conversation, { tokens: after }: Conversation): boolean {
  return before.length < after.length && before.every((token, i) => after[i] === token);
}

function writesAlike(
  chat: Chat,
  messages: readonly Message[],
  { tokens }: Conversation,
  tools: Parameters<Chat["start"]>[1],
): boolean {
  try {
    return isDeepStrictEqual([...chat.start(messages, tools).tokens], [...tokens]);
  } catch {
    return false; // a template that refuses such a conversation writes it in no way
  }
}
