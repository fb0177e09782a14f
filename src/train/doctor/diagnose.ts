/**
 * Everything that the doctor checks, in order. A check that fails does not stop the others, but for those that need what it
 * would have opened: they are skipped. Nothing stays behind.
 */
import { freeCores } from "../../core/free-cores.ts";
import type { Problem } from "../../core/task.ts";
import { type Chat, loadChat } from "../../loop/policy.ts";
import type { MulliganConfig } from "../config.ts";
import type { OpenedProblems, PrepareOptions } from "../open-problems.ts";
import { planWork } from "../run-plan.ts";
import type { FoundModel } from "../setup.ts";
import { checkEngine, checkMemory } from "./engine.ts";
import { type DoctorEvent, type Examine, examiner } from "./examine.ts";
import { checkDisk, checkWriting } from "./folder.ts";
import { checkAgreement, checkStep } from "./learning.ts";
import { checkNode, checkRuntime, checkThreads, requiredNode, thisPlatform } from "./machine.ts";
import { checkModel, checkWeights } from "./model.ts";
import { checkProblems, checkSettings } from "./task.ts";
import { checkVerifier } from "./verifier.ts";
import { checkTemplate, checkTokenizer, textsOf } from "./words.ts";

export type DoctorOptions = Omit<PrepareOptions, "splits">;

/** Problems whose texts, conversations and first answers are tried. */
const PROBLEMS = 4;
/** Groups of the step. */
const GROUPS = 2;
/** For the verifier's few rows; a minute must do for everything. */
const PATIENCE_MS = 20_000;

type Checking<T> = AsyncGenerator<DoctorEvent, T, undefined>;

/** What the checks share. */
interface Visit {
  config: MulliganConfig;
  options: DoctorOptions;
  examine: Examine;
  /** Has it closed at the end, also when a stop comes before its check's end. */
  keep<T extends { close(): Promise<void> }>(opened: T | undefined): void;
}

/** Throws the signal's reason when stopped, and nothing else: what goes wrong is a finding. */
export async function* diagnose(config: MulliganConfig, options: DoctorOptions = {}): Checking<void> {
  const open: { close(): Promise<void> }[] = [];
  const keep: Visit["keep"] = (opened) => void (opened && open.push(opened));
  const visit = { config, options, examine: examiner(options.signal), keep };
  try {
    const machine = yield* lookAtMachine(visit);
    const task = yield* lookAtTask(visit);
    const model = yield* lookAtModel(visit, task);
    yield* lookAtLearning(visit, { ...machine, ...model, task });
  } finally {
    for (const one of open.reverse()) await one.close();
  }
}

/** Without a model or a task. */
async function* lookAtMachine({ config, examine }: Visit): Checking<Machine> {
  yield* examine("Node", {}, () => checkNode(process.versions.node, requiredNode()));
  const runtime = yield* examine("runtime", {}, async () => ({
    ...(await checkRuntime(thisPlatform())),
    value: true as const,
  }));
  const threads = yield* examine("threads", {}, () => checkThreads(config.threads, freeCores()));
  yield* examine("settings", {}, () => checkSettings(config));
  yield* examine("run folder", {}, () => checkWriting(config.outputDir));
  return { runtime, threads };
}

async function* lookAtTask({ config, options, examine, keep }: Visit): Checking<OpenedProblems | undefined> {
  const task = yield* examine("task", {}, async () => {
    const answer = await checkProblems(config, options);
    keep(answer.value);
    return answer;
  });
  const { signal } = options;
  const patience = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])]);
  yield* examine("verifier", { task }, ({ task }) =>
    checkVerifier(task.task, config.verifier.workers, patience),
  );
  return task;
}

interface Machine {
  runtime: true | undefined;
  threads: number | undefined;
}

/** The model's files, before any of its weights are loaded. */
interface Model {
  model: FoundModel | undefined;
  weights: true | undefined;
  tokenizer: Chat | undefined;
}

async function* lookAtModel(
  { config, options, examine }: Visit,
  task: OpenedProblems | undefined,
): Checking<Model> {
  const { onHubEvent: onEvent, signal, env } = options;
  const model = yield* examine("model", {}, () => checkModel(config.model, { signal, onEvent, env }));
  const weights = yield* examine("weights", { model }, ({ model }) => checkWeights(model));
  yield* examine("disk", { model, task }, async ({ model: { folder: model }, task: { task } }) => {
    const { disk } = await planWork(config, { model, task });
    return checkDisk(config.outputDir, disk);
  });
  const tokenizer = yield* examine("tokenizer", { model, task }, async ({ model, task }) => {
    const chat = await loadChat(model.folder, config.chatTemplateKwargs);
    return { ...checkTokenizer(chat, textsOf(task.task, some(task.problems.train))), value: chat };
  });
  yield* examine("template", { tokenizer, task }, ({ tokenizer, task: { task, problems } }) =>
    checkTemplate(tokenizer, task, some(problems.train)),
  );
  return { model, weights, tokenizer };
}

/** What takes an engine. */
async function* lookAtLearning(
  { config, examine, keep }: Visit,
  {
    runtime,
    threads,
    model,
    weights,
    tokenizer,
    task,
  }: Machine & Model & { task: OpenedProblems | undefined },
): Checking<void> {
  const memory = yield* examine("memory", { model, task, tokenizer }, ({ model, task, tokenizer }) =>
    checkMemory(config, model, task, tokenizer),
  );
  const engine = yield* examine(
    "engine",
    { runtime, threads, weights, memory },
    async ({ threads, memory }) => {
      const answer = await checkEngine({ ...config, threads }, memory);
      keep(answer.value);
      return answer;
    },
  );
  yield* examine("sampler", { engine }, ({ engine: { policy, task, problems } }) => {
    const prompts = some(problems.train).map(
      ({ row }) => policy.chat.start(task.prompt(row), task.tools?.(row)).tokens,
    );
    return checkAgreement(policy.engine, prompts, policy.chat.stopTokens, config);
  });
  yield* examine("training step", { engine }, ({ engine: { policy, task, problems, config } }) =>
    checkStep(policy, task, problems.train.slice(0, GROUPS), config),
  );
}

const some = (problems: readonly Problem[]) => problems.slice(0, PROBLEMS);
