/** Is the model there, one that the engine can run, and whole? Nothing of its weights is loaded. */
import { requireSupported, requireWeights } from "../../engine/local/supported.ts";
import { fingerprintModel } from "../../store/fingerprint.ts";
import { type FoundModel, findModel } from "../setup.ts";
import { findingFrom, type Opened, ok, warning } from "./check.ts";

type Fetching = Parameters<typeof findModel>[1];

/** Finds the model; of one on the hub that is not in the cache all but the weights is fetched, which may be gigabytes. */
export async function checkModel(name: string, fetching: Fetching): Promise<Opened<FoundModel>> {
  try {
    const model = await findModel(name, { ...fetching, weights: false });
    await requireSupported(model.folder);
    if (model.missing === undefined) return { ...ok(model.folder), value: model };
    return {
      ...warning(
        `${model.model} can be fetched and is supported, but ${model.missing} is not here yet`,
        "the first command that uses it fetches it: mulligan sample, for instance; then ask the doctor again",
      ),
      value: model,
    };
  } catch (error) {
    return findingFrom(error);
  }
}

/** Opens every weight file, and reads all of them once for what a run knows the model by. The value is that it may be loaded. */
export async function checkWeights({ folder, missing }: FoundModel): Promise<Opened<true>> {
  if (missing !== undefined) return warning(`not fetched: ${missing}`, "see the model above");
  try {
    const parameters = await requireWeights(folder);
    const { weights } = await fingerprintModel(folder);
    const millions = (parameters / 1e6).toPrecision(3);
    return { ...ok(`${millions} M parameters, SHA-256 ${weights.slice(0, 12)}…`), value: true };
  } catch (error) {
    return findingFrom(error);
  }
}
