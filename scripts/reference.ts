/** Writes docs/reference/ from the schema, the presets and the metric names; a test fails when the files are stale. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fields } from "../src/cli/fields.ts";
import { METRICS, TIMINGS } from "../src/learn/metric-names.ts";
import { presets } from "../src/train/presets.ts";

const NOTE = "<!-- Made by `npm run reference`; do not edit. -->";

/** The pages by file name. */
export function referencePages(): Record<string, string> {
  return {
    "configuration.md": configurationPage(),
    "presets.md": presetsPage(),
    "metrics.md": metricsPage(),
  };
}

function configurationPage(): string {
  const rows = fields.map(({ path, default: value, choices, description }) => [
    code(path),
    value === undefined ? "" : code(JSON.stringify(value)),
    [description, choices.length > 0 && `one of ${choices.map(code).join(", ")}`].filter(Boolean).join("; "),
  ]);
  const intro =
    "Every setting of `mulligan.config.ts`. As a flag: `numGenerations` is `--num-generations`, " +
    "`eval.testProblems` is `--eval.test-problems`. Later wins: defaults, preset, file, flags.";
  return page("Configuration", intro, ["setting", "default", "meaning"], rows);
}

function presetsPage(): string {
  const parts = Object.values(presets).map(({ name, summary, values }) => {
    const rows = values.map(({ key, value, provenance, note }) => [
      code(key),
      code(JSON.stringify(value)),
      provenance,
      note,
    ]);
    return `## ${name}\n\n${summary}\n\n${table(["setting", "value", "provenance", "note"], rows)}`;
  });
  const intro =
    "Named settings, with where each value comes from. *seen*: stated by the authors or quoted from the paper. " +
    "*recalled*: from memory of the paper or implied by it, not checked. *unknown*: not published, the default of the " +
    "trainer they built on. *chosen*: by us.";
  return `# Presets\n\n${NOTE}\n\n${intro}\n\n${parts.join("\n\n")}\n`;
}

function metricsPage(): string {
  const fileOf = (name: string) => (name.startsWith("eval/") ? "evaluations.jsonl" : "metrics.jsonl");
  const rows = [
    ...Object.entries(METRICS).map(([name, meaning]) => [code(name), code(fileOf(name)), meaning]),
    ...Object.entries(TIMINGS).map(([name, meaning]) => [code(name), code("timings.jsonl"), meaning]),
  ];
  const intro =
    "Names in the files of a run folder, TRL's where TRL has one. Every clock reading is in `timings.jsonl`, so that " +
    "the other files of two equal runs are equal byte for byte.";
  return page("Metrics", intro, ["metric", "file", "meaning"], rows);
}

function page(title: string, intro: string, header: readonly string[], rows: readonly string[][]): string {
  return `# ${title}\n\n${NOTE}\n\n${intro}\n\n${table(header, rows)}\n`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL("../docs/reference", import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(referencePages())) writeFileSync(`${folder}/${name}`, text);
}
