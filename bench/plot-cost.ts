/**
 * Does the cost of a step follow its distinct tokens? Reads bench/results/cost.jsonl (plan cost.json), prints what
 * doubling the group and the prefix cost, and draws docs/images/cost.svg: predicted lines, measured medians as dots.
 *
 * npx tsx bench/plot-cost.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { median } from "../src/core/median.ts";
import { benchConfig } from "../src/engine/local/bench.ts";
import { parameterCount } from "../src/model/parameters.ts";

interface Line {
  failures: number;
  G: number;
  prefix: number;
  reflection: number;
  turn: number;
  retry: number;
  sample_s: number;
  train_s: number;
  step_s: number;
}

const lines = readFileSync("bench/results/cost.jsonl", "utf8").trim().split("\n").slice(1);
const byPoint = new Map<string, Line[]>();
for (const line of lines.map((text) => JSON.parse(text) as Line)) {
  const key = `${line.G},${line.prefix}`;
  byPoint.set(key, [...(byPoint.get(key) ?? []), line]);
}
const at = (G: number, prefix: number): Line => {
  const all = byPoint.get(`${G},${prefix}`)!;
  const middle = (key: "sample_s" | "train_s" | "step_s") => median(all.map((line) => line[key]));
  return { ...all[0]!, sample_s: middle("sample_s"), train_s: middle("train_s"), step_s: middle("step_s") };
};
const points = [...byPoint.keys()].map((key) => at(...(key.split(",").map(Number) as [number, number])));

const config = benchConfig("M");
/** FLOP of a forward pass: 2 per parameter and token, 4 per layer, channel and pair of token and key. */
const forward = (tokens: number, pairs: number) =>
  2 * parameterCount(config) * tokens + 4 * config.layers * config.hiddenSize * pairs;

/** FLOP of forwards (4: reference, and one with a derivative of two) and of prefill, and tokens decoded; for a step. */
function work({ failures, reflection: R, turn, retry }: Line, G: number, prefix: number) {
  const trained = 4 * forward(prefix + G * R, prefix * prefix + G * R * (prefix + R));
  const before = prefix + R;
  const prefilled = forward(prefix, prefix * prefix) + forward(G * turn, G * turn * (before + turn));
  return {
    trained: failures * trained,
    prefilled: failures * prefilled,
    decoded: failures * G * (R + retry),
  };
}

/**
 * Three constants from the smallest and the largest group: seconds per FLOP from training, and from sampling seconds per
 * step of decoding and per token decoded.
 */
const [small, large] = [at(4, 400), at(32, 400)];
const perFlop = small.train_s / work(small, small.G, 400).trained;
const decoding = (line: Line) => line.sample_s - perFlop * work(line, line.G, line.prefix).prefilled;
const perToken =
  (decoding(large) - decoding(small)) /
  (work(large, large.G, 400).decoded - work(small, small.G, 400).decoded);
const steps = small.reflection + small.retry;
const perStep = (decoding(small) - perToken * work(small, small.G, 400).decoded) / steps;
function predicted(G: number, prefix: number): number {
  const { trained, prefilled, decoded } = work(small, G, prefix);
  return perFlop * (trained + prefilled) + perStep * steps + perToken * decoded;
}

/** Tokens that a step computes once each: of prefixes, reflections, retry prompts and retries. */
const distinct = ({ failures, prefix, reflection, turn, retry }: Line, G: number) =>
  failures * (prefix + G * (reflection + turn + retry));

const groups = points.filter(({ prefix }) => prefix === 400).sort((a, b) => a.G - b.G);
for (const [i, less] of groups.slice(0, -1).entries()) {
  const more = groups[i + 1]!;
  const linear = (less.step_s * (distinct(more, more.G) - distinct(less, less.G))) / distinct(less, less.G);
  const ratio = (more.step_s - less.step_s) / linear;
  console.log(
    `prefix 400, G ${less.G} to ${more.G}: ${less.step_s.toFixed(2)} to ${more.step_s.toFixed(2)} s, ` +
      `${ratio.toFixed(2)} times what the added tokens cost linearly; predicted ${predicted(more.G, 400).toFixed(2)} s`,
  );
}
for (const [from, to] of [
  [200, 400],
  [400, 800],
] as const) {
  const added = (G: number) => at(G, to).step_s - at(G, from).step_s;
  console.log(
    `prefix ${from} to ${to}: ${added(4).toFixed(2)} s more at G 4, ${added(16).toFixed(2)} s at G 16: ` +
      `${(added(16) / added(4)).toFixed(2)} times`,
  );
}

const [W, H, left, top, width, height] = [860, 330, 60, 44, 330, 220];
const most = 1.1 * Math.max(...points.map(({ step_s }) => step_s));
const y = (seconds: number) => top + height - (height * seconds) / most;
interface Series {
  label: string;
  color: string;
  measured: [x: number, seconds: number][];
  predicted: (x: number) => number;
}

function panel(offset: number, title: string, xs: number[], series: Series[]): string {
  const [low, high] = [0, xs.at(-1)! * 1.05];
  const x = (value: number) => left + offset + (width * (value - low)) / (high - low);
  const seconds = Array.from({ length: Math.floor(most) + 1 }, (_, i) => i);
  const path = (f: (v: number) => number) =>
    Array.from({ length: 41 }, (_, i) => xs[0]! + ((xs.at(-1)! - xs[0]!) * i) / 40)
      .map((v, i) => `${i ? "L" : "M"}${x(v).toFixed(1)} ${y(f(v)).toFixed(1)}`)
      .join("");
  return [
    `<text x="${left + offset}" y="24" class="title">${title}</text>`,
    ...seconds.map(
      (s) =>
        `<path class="grid" d="M${left + offset} ${y(s)}h${width}"/><text class="tick" text-anchor="end" x="${left + offset - 8}" y="${y(s) + 4}">${s} s</text>`,
    ),
    ...xs.map(
      (v) => `<text class="tick" text-anchor="middle" x="${x(v)}" y="${top + height + 20}">${v}</text>`,
    ),
    ...series.flatMap(({ label, color, measured, predicted: f }) => [
      `<path d="${path(f)}" fill="none" stroke="${color}" stroke-width="2" stroke-dasharray="6 4"/>`,
      ...measured.map(([v, s]) => `<circle cx="${x(v)}" cy="${y(s)}" r="5" fill="${color}"/>`),
      `<text class="label" style="fill:${color}" x="${x(measured.at(-1)![0]) - 6}" y="${y(measured.at(-1)![1]) - 12}" text-anchor="end">${label}</text>`,
    ]),
  ].join("\n");
}

const byPrefix = (G: number, color: string): Series => ({
  label: `G ${G}`,
  color,
  measured: [200, 400, 800].map((prefix) => [prefix, at(G, prefix).step_s]),
  predicted: (prefix) => predicted(G, prefix),
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" font-family="system-ui, sans-serif">
<title>Seconds of a step by group size and by prefix: predicted and measured</title>
<style>text{fill:#57606a;font-size:12px}.title{font-size:14px;font-weight:600}.label{font-weight:600}.grid{stroke:#8888;stroke-width:.5}</style>
<rect width="${W}" height="${H}" fill="#fff"/>
${panel(
  0,
  "A step by group size G, prefix 400",
  groups.map(({ G }) => G),
  [
    {
      label: "measured",
      color: "#0969da",
      measured: groups.map(({ G, step_s }) => [G, step_s]),
      predicted: (G) => predicted(G, 400),
    },
  ],
)}
${panel(420, "A step by length of the prefix", [200, 400, 800], [byPrefix(4, "#0969da"), byPrefix(16, "#bc4c00")])}
<text x="${left}" y="${H - 14}">dots: measured medians; dashed: predicted from distinct tokens, with three constants taken from G 4 and 32, prefix 400</text>
</svg>
`;
writeFileSync("docs/images/cost.svg", svg);
