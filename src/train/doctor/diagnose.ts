/**
 * Everything that the doctor checks, in order. A check that fails does not stop the others, but for those that need what it
 * would have opened: they are skipped. Nothing stays behind.
 */

import { MulliganError } from "../../core/errors.ts";
import { freeCores } from "../../core/free-cores.ts";
import { freeMemory } from "../../core/free-memory.ts";
import type { Problem, Task } from "../../core/task.ts";
import { type Chat, loadChat } from "../../loop/policy.ts";
import type { MulliganConfig } from "../config.ts";
import { planRun, requireMemory, showBytes } from "../memory.ts";
import { requireCapabilities, requireLearner } from "../preflight.ts";
import { planWork } from "../run-plan.ts";
import {
  type FoundModel,
  lengthsOfAll,
  openProblems,
  type Prepared,
  type PrepareOptions,
  type Setup,
  startSetup,
} from "../setup.ts";
import { type Check, type Finding, failed, findingFrom, type Opened, ok, warning } from "./check.ts";
import { checkDisk, checkWriting } from "./folder.ts";
import { checkAgreement, checkStep } from "./learning.ts";
import { checkNode, checkRuntime, checkThreads, requiredNode, thisPlatform } from "./machine.ts";
import { checkModel, checkWeights } from "./model.ts";
import { checkVerifier } from "./verifier.ts";
import { checkTemplate, checkTokenizer } from "./words.ts";

export type DoctorEvent = { type: "checking"; name: string } | { type: "checked"; check: Check };

export type DoctorOptions = Omit<PrepareOptions, "splits">;

/** Problems whose texts, conversations and first answers are tried. */
const PROBLEMS = 4;
/** Groups of the step. */
const GROUPS = 2;
/** For the verifier's few rows; a minute must do for everything. */
const PATIENCE_MS = 20_000;

/** Throws the signal's reason when stopped, and nothing else: what goes wrong is a finding. */
export async function* diagnose(
  config: MulliganConfig,
  { signal, onHubEvent: onEvent, env }: DoctorOptions = {},
): AsyncGenerator<DoctorEvent, void, undefined> {
  const examine = examiner(signal);
  let opened: Pick<Prepared, "task" | "problems" | "close"> | undefined;
  let setup: Setup | undefined;
  try {
    yield* examine("Node", {}, () => checkNode(process.versions.node, requiredNode()));
    const runtime = yield* examine("runtime", {}, async () => ({
      ...(await checkRuntime(thisPlatform())),
      value: true,
    }));
    yield* examine("threads", {}, () => checkThreads(config.threads, freeCores()));
    yield* examine("settings", {}, () => checkSettings(config));
    yield* examine("run folder", {}, () => checkWriting(config.outputDir));

    const task = yield* examine("task", {}, async () => {
      const answer = await checkProblems(config, {
        ...(signal && { signal }),
        ...(onEvent && { onHubEvent: onEvent }),
        ...(env && { env }),
      });
      opened = answer.value; // here, since a stop may come before the check's end
      return answer;
    });
    const patience = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])]);
    yield* examine("verifier", { task }, ({ task }) =>
      checkVerifier(task.task, config.verifier.workers, patience),
    );

    const model = yield* examine("model", {}, () => checkModel(config.model, { signal, onEvent, env }));
    const weights = yield* examine("weights", { model }, ({ model }) => checkWeights(model));
    yield* examine("disk", { model, task }, ({ model, task }) => checkRoom(config, model, task));
    const chat = yield* examine("tokenizer", { model, task }, ({ model, task }) =>
      checkWords(config, model, task),
    );
    yield* examine("template", { tokenizer: chat, task }, ({ tokenizer, task }) =>
      checkTemplate(tokenizer, task.task, some(task.problems.train)),
    );

    const plan = yield* examine("memory", { model, task, tokenizer: chat }, ({ model, task, tokenizer }) =>
      checkPlan(config, model, task, tokenizer),
    );
    const engine = yield* examine("engine", { runtime, weights, memory: plan }, async ({ memory }) => {
      const answer = await startEngine(config, memory);
      setup = answer.value;
      return answer;
    });
    const needed = { engine };
    yield* examine("sampler", needed, ({ engine: { policy, task, problems } }) => {
      const prompts = some(problems.train).map(
        ({ row }) => policy.chat.start(task.prompt(row), task.tools?.(row)).tokens,
      );
      return checkAgreement(policy.engine, prompts, policy.chat.stopTokens, config);
    });
    yield* examine("training step", needed, ({ engine: { policy, task, problems, config } }) =>
      checkStep(policy, task, problems.train.slice(0, GROUPS), config),
    );
  } finally {
    await setup?.close();
    await opened?.close();
  }
}

type Needs = Readonly<Record<string, unknown>>;
type Met<N extends Needs> = { [K in keyof N]: NonNullable<N[K]> };
type Answer<T> = Opened<T> | Promise<Opened<T>>;

/** Makes a check of a function: skipped when something that it needs is not there. Gives on what the function opened. */
function examiner(signal: AbortSignal | undefined) {
  return async function* <N extends Needs, T = never>(
    name: string,
    needs: N,
    look: (met: Met<N>) => Answer<T>,
  ): AsyncGenerator<DoctorEvent, T | undefined, undefined> {
    signal?.throwIfAborted();
    yield { type: "checking", name };
    const missing = Object.keys(needs).filter((key) => needs[key] === undefined);
    if (missing.length > 0) {
      yield { type: "checked", check: { name, status: "skipped", found: `needs ${missing.join(", ")}` } };
      return undefined;
    }
    const { value, ...finding } = await Promise.resolve()
      .then(() => look(needs as Met<N>))
      .catch((error): Opened<T> => findingFrom(error));
    signal?.throwIfAborted();
    yield { type: "checked", check: { name, ...finding } };
    return finding.status === "failed" ? undefined : value;
  };
}

const some = (problems: readonly Problem[]) => problems.slice(0, PROBLEMS);

function checkSettings(config: MulliganConfig): Finding {
  requireLearner(config);
  return ok(`${config.task} with ${config.model}; what learns: ${config.learnFrom}`);
}

async function checkProblems(
  config: MulliganConfig,
  options: PrepareOptions,
): Promise<Opened<Pick<Prepared, "task" | "problems" | "close">>> {
  const opened = await openProblems(config, options);
  const { train, validation, test } = opened.problems;
  const counts = `${train.length} problems to train on, ${validation.length} for validation, ${test.length} for the test`;
  return { ...ok(`${opened.task.name}: ${counts}`), value: opened };
}

async function checkRoom(
  config: MulliganConfig,
  { folder: model }: FoundModel,
  { task }: Pick<Prepared, "task">,
): Promise<Finding> {
  const { disk } = await planWork(config, { model, task });
  return checkDisk(config.outputDir, disk);
}

async function checkWords(
  config: MulliganConfig,
  { folder }: FoundModel,
  { task, problems }: Pick<Prepared, "task" | "problems">,
): Promise<Opened<Chat>> {
  const chat = await loadChat(folder, config.chatTemplateKwargs);
  const texts = some(problems.train).flatMap(({ row }) => textsOf(task, row));
  return { ...checkTokenizer(chat, texts), value: chat };
}

/** All that the model is shown, and what it is to write. */
function textsOf(task: Task, row: unknown): string[] {
  const prompts = task.prompt(row).map(({ content }) => content);
  const texts = [...prompts, task.reflectionPrompt(row), task.retryPrompt(row), task.answer?.(row)];
  return texts.filter((text) => text !== undefined && text !== "") as string[];
}

/** What is prepared is closed by the doctor, not by the engine that starts from it. */
async function checkPlan(
  config: MulliganConfig,
  { folder, model }: FoundModel,
  { task, problems }: Pick<Prepared, "task" | "problems">,
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

async function startEngine(config: MulliganConfig, prepared: Prepared): Promise<Opened<Setup>> {
  const setup = await startSetup(config, prepared);
  const { info } = setup.policy.engine;
  try {
    requireCapabilities(info, config);
    const threads = `${info.threads} thread${info.threads === 1 ? "" : "s"}`;
    const found = `loads on ${config.device} with ${threads}; every episode fits its ${info.contextLength} tokens`;
    return { ...ok(found), value: setup };
  } catch (error) {
    await setup.close();
    throw error;
  }
}
