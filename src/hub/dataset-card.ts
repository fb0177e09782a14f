/**
 * What the card of a data set (its README.md) says of its files: subsets, each with the files of its splits. Read as
 * Python's `datasets` does; what would change how a file is read, and is not done here, is refused by name.
 */
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";

export const CARD = "README.md";

/** The largest published cards take some hundred kilobytes. Arbitrary. */
export const MAX_CARD_BYTES = 4_194_304;

const pattern = z.string().min(1).max(1024);
const patterns = z.union([pattern.transform((one) => [one]), z.array(pattern)]);

const Subset = z.strictObject({
  config_name: z.string(),
  /** Of the training split, unless splits are named. */
  data_files: z.union([patterns, z.array(z.strictObject({ split: z.string(), path: patterns }))]).optional(),
  /** Folder that everything else is within. */
  data_dir: z.string().optional(),
  default: z.boolean().optional(),
  description: z.string().optional(),
  version: z.unknown().optional(),
});

export interface CardSubset {
  name: string;
  isDefault?: boolean;
  /** "" for the whole repository. */
  folder: string;
  /** Patterns of each split's files, in order; undefined where the files' names tell. */
  splits?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** The subsets that a card declares, none for a card that declares none. Throws `MulliganError("data")`. */
export async function subsetsOf(card: string, name: string): Promise<CardSubset[]> {
  const matter = /^\uFEFF?---\r?\n(.*?)\r?\n---/s.exec(card)?.[1];
  if (matter === undefined) return [];
  const { parse } = await import("yaml");
  try {
    const { configs } = z
      .looseObject({ configs: z.array(Subset).nullish() })
      .parse(parse(matter, { logLevel: "error" }) ?? {});
    return (configs ?? []).map(subsetFrom);
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new MulliganError(
      "data",
      `dataset "${name}": its ${CARD} must declare files in a way that is known: ${reason}`,
      { hint: `name files by path: hf:${name}/path/to/file.parquet`, cause },
    );
  }
}

function subsetFrom({
  config_name: name,
  data_files: files,
  data_dir: folder = "",
  default: isDefault = name === "default",
}: z.infer<typeof Subset>): CardSubset {
  const splits = files && new Map<string, string[]>();
  for (const entry of files ?? []) {
    const { split, path } = typeof entry === "string" ? { split: "train", path: [entry] } : entry;
    const other = path.find((one) => /[?[\]{}]/.test(one));
    if (other !== undefined) throw new RangeError(`a pattern may have no wildcard but *, got ${other}`);
    splits!.set(split, [...(splits!.get(split) ?? []), ...path]);
  }
  return { name, isDefault, folder: folder.replace(/^\.?\/+|\/+$/g, ""), splits };
}
