/** Can the engine run this model? Told from its config.json and the headers of its weights, before gigabytes are fetched or read. */
import { loadModelShape, openModel } from "../../model/folder.ts";
import { parameterCount } from "../../model/parameters.ts";

/** Throws `MulliganError("model")` for an architecture or a field that is not supported, `("checkpoint")` for no file. */
export async function requireSupported(folder: string): Promise<void> {
  await loadModelShape(folder);
}

/**
 * Opens a folder's weights and reads none of them: the headers of all files, and whether the tensors are the model's.
 * Returns the number of its parameters. Throws `MulliganError("checkpoint")`, and what requireSupported throws.
 */
export async function requireWeights(folder: string): Promise<number> {
  const { config, close } = await openModel(folder);
  await close();
  return parameterCount(config);
}
