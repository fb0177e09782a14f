/**
 * Reads and checks what a model folder says about text: tokenizer, chat template, stop tokens. Names the file and the
 * field in every error. Knows nothing of encoding.
 */
import { join } from "node:path";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { parseJson, readTextFile } from "../core/json-file.ts";

/** Largest tokenizer.json, in bytes. Gemma's has 33 MB. */
const MAX_TOKENIZER_BYTES = 2 ** 27;
/** Largest of the other files. Gemma's tokenizer_config.json has 1.2 MB. */
const MAX_BYTES = 2 ** 24;
/** Most ids in eos_token_id. */
const MAX_STOP_IDS = 2 ** 10;
/** Most fields of tokenizer_config.json that name a token. */
const MAX_NAMED_TOKENS = 2 ** 8;

const AddedToken = z.looseObject({
  id: z.int().min(0),
  content: z.string().min(1),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof AddedToken>;

/** Token to id, or in Unigram models a list of [token, score] whose places are the ids. */
type Vocab = Record<string, number> | [string, number][];

// Only what is read here; the library checks the rest.
const TokenizerJson = z.looseObject({
  // custom: z.record would copy 150,000 entries, and leave out a token "__proto__"
  model: z.looseObject({ vocab: z.custom<Vocab>((vocab) => typeof vocab === "object" && vocab !== null) }),
  added_tokens: z.array(AddedToken).default([]),
});
export type TokenizerJson = z.infer<typeof TokenizerJson>;

const NamedToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const NamedTemplate = z.looseObject({ name: z.string(), template: z.string() });
const TokenizerConfig = z.looseObject({
  bos_token: NamedToken,
  eos_token: NamedToken,
  chat_template: z.union([z.string(), z.array(NamedTemplate)]).nullish(),
});

const TokenIds = z.union([z.int().transform((id) => [id]), z.array(z.int()).max(MAX_STOP_IDS)]).nullish();
const ModelConfig = z.looseObject({ eos_token_id: TokenIds });

export interface TokenizerFiles {
  folder: string;
  tokenizer: TokenizerJson;
  config: Record<string, unknown>;
  /** bos_token, eos_token and the like by name, as chat templates see them. */
  namedTokens: Record<string, string>;
  /** The source of the chat template, when there is one. */
  template: string | undefined;
  /** eos_token_id of generation_config.json and config.json. */
  stopIds: readonly number[];
}

/** Throws `MulliganError("tokenizer")`; only tokenizer.json must exist. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(folder, "tokenizer.json", TokenizerJson, MAX_TOKENIZER_BYTES);
  if (tokenizer === undefined) {
    throw new MulliganError(
      "tokenizer",
      `${join(folder, "tokenizer.json")}: the file must exist, found none`,
      {
        hint: "a model folder holds config.json, model.safetensors, tokenizer.json and tokenizer_config.json",
      },
    );
  }
  const config = (await readJson(folder, "tokenizer_config.json", TokenizerConfig)) ?? {};
  const generation = await readJson(folder, "generation_config.json", ModelConfig);
  const model = await readJson(folder, "config.json", ModelConfig);
  return {
    folder,
    tokenizer,
    config,
    namedTokens: readNamedTokens(folder, config),
    template:
      (await readText(folder, "chat_template.jinja")) ??
      chooseTemplate(folder, config.chat_template ?? undefined),
    stopIds: [...(generation?.eos_token_id ?? []), ...(model?.eos_token_id ?? [])],
  };
}

function readNamedTokens(folder: string, config: Record<string, unknown>): Record<string, string> {
  const named: Record<string, string> = {};
  const fields = Object.entries(config).filter(([name]) => name.endsWith("_token"));
  if (fields.length > MAX_NAMED_TOKENS) {
    const rule = `must name at most ${MAX_NAMED_TOKENS} tokens, got ${fields.length}`;
    throw new MulliganError("tokenizer", `${join(folder, "tokenizer_config.json")}: ${rule}`);
  }
  for (const [name, value] of fields) {
    const token = NamedToken.safeParse(value).data;
    if (token != null) named[name] = typeof token === "string" ? token : token.content;
  }
  return named;
}

function chooseTemplate(
  folder: string,
  template: string | readonly z.infer<typeof NamedTemplate>[] | undefined,
): string | undefined {
  if (template === undefined || typeof template === "string") return template;
  const chosen = template.find(({ name }) => name === "default");
  if (chosen) return chosen.template;
  const names = template.map(({ name }) => `"${name}"`).join(", ");
  throw new MulliganError(
    "tokenizer",
    `${join(folder, "tokenizer_config.json")}: chat_template must have one named "default", got ${names}`,
  );
}

async function readText(folder: string, name: string, maxBytes = MAX_BYTES): Promise<string | undefined> {
  try {
    return await readTextFile(join(folder, name), maxBytes);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new MulliganError(
      "tokenizer",
      `${join(folder, name)}: the file must be readable, got ${code ?? message}`,
      { cause },
    );
  }
}

async function readJson<T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
  maxBytes = MAX_BYTES,
): Promise<T | undefined> {
  const text = await readText(folder, name, maxBytes);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new MulliganError(
      "tokenizer",
      `${join(folder, name)}: must be JSON, got ${(cause as Error).message}`,
      {
        hint: "the file may be cut off, or a Git LFS pointer: download it again",
        cause,
      },
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.join(".") || "the file";
  throw new MulliganError(
    "tokenizer",
    `${join(folder, name)}: ${field} is not as expected, ${issue.message}`,
  );
}
