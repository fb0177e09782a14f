/** Does the run fit into memory, and does the engine load? The plan comes first: what does not fit is not loaded. */
import { count } from "../../core/count.ts";
import { MulliganError } from "../../core/errors.ts";
import { freeMemory } from "../../core/free-memory.ts";
import type { Chat } from "../../loop/policy.ts";
import type { MulliganConfig } from "../config.ts";
import { planRun, requireMemory, showBytes } from "../memory.ts";
import type { OpenedProblems } from "../open-problems.ts";
import { requireCapabilities } from "../preflight.ts";
import { type FoundModel, lengthsOfAll, type Prepared, type Setup, startSetup } from "../setup.ts";
import { failed, type Opened, ok, warning } from "./check.ts";

/** The value is what an engine starts from; closing it closes nothing: the task is the doctor's. Throws what planRun throws. */
export async function checkMemory(
  config: MulliganConfig,
  { folder, model }: FoundModel,
  { task, problems }: OpenedProblems,
  chat: Chat,
): Promise<Opened<Prepared>> {
  const lengths = lengthsOfAll(chat, task, problems);
  const prepared = { task, problems, model: folder, name: model, chat, lengths, close: async () => {} };
  const memory = await planRun(config, prepared);
  const free = freeMemory();
  const found = `about ${showBytes(memory.plan.peak)} at the most, of ${showBytes(free)} free`;
  try {
    requireMemory(memory, free, config);
    return { ...ok(found), value: prepared };
  } catch (error) {
    if (!(error instanceof MulliganError)) throw error;
    if (config.memoryCheck === "warn") return { ...warning(found, error.hint ?? ""), value: prepared };
    return failed(error.message, error.hint ?? "");
  }
}

/** Throws what startSetup throws; nothing stays open then. */
export async function checkEngine(config: MulliganConfig, prepared: Prepared): Promise<Opened<Setup>> {
  const setup = await startSetup(config, prepared);
  const { info } = setup.policy.engine;
  try {
    requireCapabilities(info, config);
    const threads = count(info.threads, "thread");
    const found = `loads on ${config.device} with ${threads}; every episode fits its ${info.contextLength} tokens`;
    return { ...ok(found), value: setup };
  } catch (error) {
    await setup.close();
    throw error;
  }
}
