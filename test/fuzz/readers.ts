/**
 * Readers of models, rows, run folders and the hub's cache: valid files for each to be mutated, and how it is called. Not here
 * are those of the hub's and MLflow's answers, and of tasks, which are programs.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { loadConfigFile, resolveConfig } from "../../src/cli/config.ts";
import { ownContainer } from "../../src/core/process-identity.ts";
import {
  familyFields,
  llamaFields,
  roughAdapter,
  tinyWeights,
} from "../../src/engine/local/tiny.test.kit.ts";
import { createAdamState } from "../../src/engine/local/training/adamw.ts";
import { loadTrainingState, saveTrainingState } from "../../src/engine/local/training/state.ts";
import { compareEvaluations } from "../../src/evaluate/index.ts";
import { parseDataset } from "../../src/hub/dataset-reference.ts";
import { fetchDataset } from "../../src/hub/fetch-dataset.ts";
import { missingFile } from "../../src/hub/model-files.ts";
import { hubSettings } from "../../src/hub/settings.ts";
import { createMlflow } from "../../src/log/mlflow/mlflow.ts";
import { loadModel, saveModel } from "../../src/model/folder.ts";
import { loadAdapter, saveAdapter } from "../../src/model/lora/folder.ts";
import { attemptsTrace, reflectionsTrace, writeFakeRun } from "../../src/report/fake-run.test.kit.ts";
import { renderReportPage } from "../../src/report/index.ts";
import { checkpointNamedIn, findCheckpoint, nameBest } from "../../src/store/checkpoints.ts";
import { verifyDigests, writeDigests } from "../../src/store/digests.ts";
import { readStarts, recordStart } from "../../src/store/environment.ts";
import { loadFailures, loadRefreshedFailures } from "../../src/store/failures.ts";
import { requireIntactLogs } from "../../src/store/intact-logs.ts";
import { openJournal } from "../../src/store/journal.ts";
import { rewindRun } from "../../src/store/rewind.ts";
import { runFolderAt } from "../../src/store/run-folder.ts";
import { whileLocked } from "../../src/store/run-lock.ts";
import { appendTraces, readTraces } from "../../src/store/traces.ts";
import { readRows } from "../../src/tasks/rows.ts";
import { loadToolCallingRows } from "../../src/tasks/tool-calling/load.ts";
import { bfclFunctions, defaultsOf, expectedCalls } from "../../src/tasks/tool-calling/row.ts";
import { loadChat } from "../../src/text/chat.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { resumeLatest, saveCheckpoint } from "../../src/train/checkpoint.ts";
import { readEvaluation, readRunConfig } from "../../src/train/saved-run.ts";
import type { FileKind } from "./mutate.ts";
import {
  evaluationJson,
  failureLines,
  journalLines,
  refreshedLines,
  start,
  tokenizers,
  toolRows,
} from "./valid.ts";

/** A folder of valid files, and what is made of it. */
export interface Reader {
  name: string;
  /** Writes the files. */
  prepare(folder: string): Promise<void>;
  /** Those to mutate, by their paths in the folder. */
  files: Readonly<Record<string, FileKind>>;
  /** Throws `MulliganError`, or nothing. `file` is the mutated one. */
  read(folder: string, file: string): Promise<unknown>;
  /** Bytes that reading may take beyond what all readers may. */
  moreBytes?: number;
}

const weights = tinyWeights();
const adapted = roughAdapter(weights, { r: 2, alpha: 4, useRslora: false, targetModules: "all-linear" }, 0.1);
const config = resolveConfig({});
const PROMPT = [{ role: "user" as const, content: "Use 1, 2 <|end|> and 3.\n" }];
/** What a thread that renders templates may hold: its heap (src/text/template-thread.ts). */
const TEMPLATE_BYTES = 256 * 2 ** 20;

/** Where the cache keeps a data set, and a commit of it. */
const [REPO, COMMIT] = ["datasets--org--rows", "0123456789abcdef0123456789abcdef01234567"];
/** Refuses at once, without a look at a network. */
const NO_SERVER = "http://127.0.0.1:1";

const copyModel = (folder: string) => cp("models/mini", folder, { recursive: true });
const chatIn = async (folder: string) => {
  const chat = await loadChat(folder, { enable_thinking: false });
  const attempted = chat.appendSampled(chat.start(PROMPT), "attempt", [5, 6]);
  return chat.appendTurn(attempted, "reflection-prompt", "why?");
};

/** One for each kind of tokenizer: a model's vocabulary differs in form. */
const tokenizerReaders: Reader[] = Object.entries(tokenizers).map(([name, content]) => ({
  name: `tokenizer (${name})`,
  files: { "tokenizer.json": "json" },
  prepare: async (folder) => writeFile(join(folder, "tokenizer.json"), await content()),
  async read(folder) {
    const tokenizer = await loadTokenizer(folder);
    for (const text of ["", "the answer is 12 🏿 <|end|>", "a".repeat(2000), " \n".repeat(500)]) {
      tokenizer.decode(tokenizer.encode(text));
      tokenizer.decodeWithSpecials(tokenizer.encodeTemplate(text));
    }
  },
}));

const modelReaders: Reader[] = Object.entries({ llama: llamaFields, ...familyFields }).map(
  ([name, fields]) => ({
    name: `config.json (${name})`,
    files: { "config.json": "json" },
    prepare: (folder) => saveModel(folder, tinyWeights(1, fields)),
    read: loadModel,
  }),
);

export const readers: readonly Reader[] = [
  {
    name: "model.safetensors",
    files: { "model.safetensors": "safetensors" },
    prepare: (folder) => saveModel(folder, weights),
    read: loadModel,
  },
  {
    name: "shards and index",
    files: {
      "model.safetensors.index.json": "json",
      "model-00002-of-00004.safetensors": "safetensors",
    },
    prepare: (folder) => saveModel(folder, weights, { maxShardBytes: 6000 }),
    read: async (folder) => {
      await missingFile(folder);
      return loadModel(folder);
    },
  },
  ...modelReaders,
  {
    name: "adapter",
    files: { "adapter_config.json": "json", "adapter_model.safetensors": "safetensors" },
    prepare: (folder) => saveAdapter(folder, adapted.adapter!),
    read: (folder) => loadAdapter(folder, weights.config),
  },
  {
    name: "training state",
    files: {
      "optimizer.safetensors": "safetensors",
      "optimizer.json": "json",
      "model.safetensors": "safetensors",
    },
    prepare: (folder) => saveTrainingState(folder, weights, createAdamState(weights.flat.length)),
    read: (folder) => loadTrainingState(folder, tinyWeights(), createAdamState(weights.flat.length)),
  },
  {
    name: "checkpoint",
    files: {
      latest: "bytes",
      "metrics.jsonl": "jsonl",
      "checkpoint-3/trainer_state.json": "json",
      "checkpoint-3/config.json": "json",
      "checkpoint-3/model.safetensors": "safetensors",
      "checkpoint-3/optimizer.safetensors": "safetensors",
    },
    async prepare(folder) {
      const saveState = (path: string) =>
        saveTrainingState(path, weights, createAdamState(weights.flat.length));
      const progress = { step: 3, position: 9, numTokens: 100 };
      await saveCheckpoint(runFolderAt(folder), { saveState }, progress, config);
      const lines = [1, 2, 3, 4].map((step) => JSON.stringify({ step, reward: 0.5 }));
      await writeFile(join(folder, "metrics.jsonl"), `${lines.join("\n")}\n`);
    },
    async read(folder) {
      const run = runFolderAt(folder);
      const loadState = (path: string) =>
        loadTrainingState(path, tinyWeights(), createAdamState(weights.flat.length));
      await rewindRun(run);
      await resumeLatest(run, { loadState }, config);
    },
  },
  ...tokenizerReaders,
  {
    name: "tokenizer_config.json",
    files: { "tokenizer_config.json": "json", "generation_config.json": "json" },
    prepare: async (folder) => {
      await copyModel(folder);
      await writeFile(join(folder, "chat_template.jinja"), await readFile("models/mini/chat_template.jinja"));
    },
    read: chatIn,
    moreBytes: TEMPLATE_BYTES,
  },
  {
    name: "chat template",
    files: { "chat_template.jinja": "template" },
    prepare: copyModel,
    read: chatIn,
    moreBytes: TEMPLATE_BYTES,
  },
  {
    name: "failures.jsonl",
    files: { "failures.jsonl": "jsonl", "refreshed.jsonl": "jsonl" },
    async prepare(folder) {
      await writeFile(join(folder, "failures.jsonl"), failureLines());
      await writeFile(join(folder, "refreshed.jsonl"), refreshedLines());
    },
    read: (folder, file) =>
      file.startsWith("f") ? loadFailures(join(folder, file)) : loadRefreshedFailures(join(folder, file)),
  },
  {
    name: "collecting.jsonl",
    files: { "collecting.jsonl": "jsonl" },
    prepare: (folder) => writeFile(join(folder, "collecting.jsonl"), journalLines()),
    read: (folder) => openJournal(join(folder, "collecting.jsonl")),
  },
  {
    name: "rows",
    files: { "rows.jsonl": "jsonl", "rows.json": "json", "rows.csv": "bytes", "rows.parquet": "bytes" },
    async prepare(folder) {
      const rows = Array.from({ length: 12 }, (_, i) => ({
        id: `q${i}`,
        question: `what is "${i}",\n?`,
        answer: i,
      }));
      await writeFile(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      await writeFile(join(folder, "rows.json"), JSON.stringify(rows));
      const cells = rows.map((row) => `${row.id},"${row.question.replaceAll('"', '""')}",${row.answer}\n`);
      await writeFile(join(folder, "rows.csv"), `id,question,answer\n${cells.join("")}`);
      const columns = (["id", "question", "answer"] as const).map((name) => ({
        name,
        data: rows.map((row) => row[name]),
      }));
      const parquet = parquetWriteBuffer({ columnData: columns });
      await writeFile(join(folder, "rows.parquet"), Buffer.from(parquet));
    },
    read: (folder, file) => readRows(join(folder, file)),
  },
  {
    name: "tool rows",
    files: { "xlam.json": "json", "openai.jsonl": "jsonl", "bfcl.json": "jsonl" },
    async prepare(folder) {
      await mkdir(join(folder, "possible_answer"));
      for (const [name, text] of Object.entries(toolRows)) await writeFile(join(folder, name), text);
    },
    async read(folder, file) {
      for (const row of await loadToolCallingRows(join(folder, file))) {
        expectedCalls(row);
        bfclFunctions(row);
        defaultsOf(row);
      }
    },
  },
  {
    name: "evaluations",
    files: { "test-start.json": "json", "test-trained.json": "json" },
    async prepare(folder) {
      await writeFile(join(folder, "test-start.json"), evaluationJson());
      await writeFile(join(folder, "test-trained.json"), evaluationJson());
    },
    async read(folder) {
      const [start, trained] = await Promise.all(
        ["test-start.json", "test-trained.json"].map((name) => readEvaluation(join(folder, name))),
      );
      compareEvaluations(start!, trained!, { seed: 1, bootstrap: 100 });
    },
  },
  {
    name: "report page",
    files: {
      ...{ "config.json": "json", "environment.json": "json", "test-start.json": "json" },
      ...{ "metrics.jsonl": "jsonl", "timings.jsonl": "jsonl", "evaluations.jsonl": "jsonl" },
      ...{ "warnings.jsonl": "jsonl", "traces.jsonl": "jsonl" },
    },
    async prepare(folder) {
      const steps = [1, 2, 3];
      await writeFakeRun(folder, {
        metrics: steps.map((step) => ({ step, reward: step / 4, loss: null, "completions/mean_length": 9 })),
        timings: steps.map((step) => ({ step, step_time: 2, "time/train": 1, tokens_per_second: 30 })),
        evaluations: [{ step: 0, split: "validation", "eval/rescue": 0.5 }],
        warnings: [{ step: 2, kind: "dead_groups", message: "nothing to learn from", hint: "easier" }],
        traces: [reflectionsTrace(1, "sf"), attemptsTrace(2, "sf")],
        files: {
          "environment.json": JSON.stringify({ starts: [{ node: "v24" }] }),
          "test-start.json": evaluationJson(),
        },
      });
    },
    async read(folder) {
      const page = await renderReportPage(runFolderAt(folder), {});
      const drawn = /<(?:path|rect|circle|text)\b[^>]*(?:NaN|undefined|Infinity)[^>]*>/.exec(page);
      if (drawn) throw new Error(`the page draws what is no number: ${drawn[0]}`);
    },
  },
  {
    name: "environment and digests",
    files: { "environment.json": "json", "checkpoint-3/digests.json": "json" },
    async prepare(folder) {
      const run = runFolderAt(folder);
      await recordStart(run, start);
      await recordStart(run, { ...start, node: "v22" });
      await mkdir(join(folder, "checkpoint-3"));
      await writeFile(join(folder, "checkpoint-3", "model.safetensors"), "weights");
      await writeDigests(join(folder, "checkpoint-3"));
    },
    async read(folder) {
      await readStarts(runFolderAt(folder));
      await verifyDigests(join(folder, "checkpoint-3"), "take another one");
    },
  },
  {
    name: "logs",
    files: { "metrics.jsonl": "jsonl", "timings.jsonl": "jsonl", "evaluations.jsonl": "jsonl" },
    async prepare(folder) {
      const lines = [1, 2, 3].map((step) => `${JSON.stringify({ step, reward: 0.5, note: "é" })}\n`).join("");
      for (const name of ["metrics", "timings", "evaluations"])
        await writeFile(join(folder, `${name}.jsonl`), lines);
    },
    read: (folder) => requireIntactLogs(runFolderAt(folder), 3),
  },
  {
    name: "traces.jsonl",
    files: { "traces.jsonl": "jsonl" },
    prepare: (folder) =>
      appendTraces(join(folder, "traces.jsonl"), [reflectionsTrace(1, "sf"), attemptsTrace(2, "sf")]),
    async read(folder) {
      for await (const _ of readTraces(join(folder, "traces.jsonl")));
    },
  },
  {
    name: "names of checkpoints",
    files: { latest: "bytes", best: "bytes" },
    async prepare(folder) {
      for (const step of [3, 6]) await mkdir(join(folder, `checkpoint-${step}`));
      await writeFile(join(folder, "latest"), "checkpoint-6\n");
      await writeFile(join(folder, "best"), "checkpoint-3\n");
    },
    async read(folder) {
      await checkpointNamedIn(join(folder, "best"));
      await findCheckpoint(folder);
      await nameBest(runFolderAt(folder), 3);
    },
  },
  {
    name: "run.lock",
    files: { "run.lock": "json" },
    async prepare(folder) {
      const gone = { pid: 2 ** 22 + 1, host: hostname(), since: start.started, identity: "boot:1" };
      const container = await ownContainer();
      await writeFile(join(folder, "run.lock"), JSON.stringify({ ...gone, ...(container && { container }) }));
    },
    read: (folder) => whileLocked(folder, async () => {}),
  },
  {
    name: "hub cache",
    files: {
      [`${REPO}/refs/main`]: "bytes",
      [`${REPO}/mulligan/${COMMIT}.json`]: "json",
      [`${REPO}/snapshots/${COMMIT}/README.md`]: "bytes",
      token: "bytes",
    },
    async prepare(folder) {
      const paths = ["README.md", "data/train-0.csv", "data/test-0.csv"];
      const card =
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n";
      const contents = [card, "q\n1\n", "q\n2\n"];
      const listing = paths.map((path, i) => ({ path, size: contents[i]!.length }));
      for (const name of ["refs", "mulligan", `snapshots/${COMMIT}/data`])
        await mkdir(join(folder, REPO, name), { recursive: true });
      for (const [i, path] of paths.entries())
        await writeFile(join(folder, REPO, "snapshots", COMMIT, path), contents[i]!);
      await writeFile(join(folder, REPO, "refs", "main"), COMMIT);
      await writeFile(join(folder, REPO, "mulligan", `${COMMIT}.json`), JSON.stringify(listing));
      await writeFile(join(folder, "token"), "hf_token\n");
    },
    async read(folder) {
      const env = { HF_HUB_CACHE: folder, HF_TOKEN_PATH: join(folder, "token"), HF_HUB_OFFLINE: "1" };
      await hubSettings(env);
      await fetchDataset(parseDataset("hf:org/rows:train"), { endings: [".csv"], env });
    },
  },
  {
    name: "mlflow.json",
    files: { "mlflow.json": "json" },
    prepare: (folder) =>
      writeFile(
        join(folder, "mlflow.json"),
        JSON.stringify({ uri: NO_SERVER, runId: "a1", described: true, told: { step: 3, evaluations: [] } }),
      ),
    async read(folder) {
      const context = { settings: {}, runName: "r", resumedFrom: 3, now: () => 0, warn: () => {} };
      const settings = { uri: NO_SERVER, experiment: "e", headers: {} };
      const waits = { pauses: [], close: 100 };
      const logger = createMlflow({ ...context, path: join(folder, "mlflow.json") }, settings, waits);
      await logger.close("stopped");
    },
  },
  {
    name: "settings",
    files: { "mulligan.config.json": "json", "config.json": "json" },
    async prepare(folder) {
      const some = { maxSteps: 3, task: "countdown", taskOptions: { max: 9 }, eval: { steps: 2 } };
      await writeFile(join(folder, "mulligan.config.json"), JSON.stringify(some));
      await writeFile(join(folder, "config.json"), JSON.stringify(config));
    },
    async read(folder) {
      const file = await loadConfigFile("mulligan.config.json", folder);
      resolveConfig({ preset: "p", presets: { p: { task: "retention" } }, ...(file && { file }) });
      await readRunConfig(runFolderAt(folder));
    },
  },
];
