/** Can the engine run this model? Told from its config.json alone, before gigabytes of weights are fetched. */
import { loadModelShape } from "../../model/folder.ts";

/** Throws `MulliganError("model")` for an architecture or a field that is not supported, `("checkpoint")` for no file. */
export async function requireSupported(folder: string): Promise<void> {
  await loadModelShape(folder);
}
