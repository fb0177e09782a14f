/** Builds dist/ from src/ with plain tsc: no bundler, so stack traces and worker files stay honest. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
// what runs in a browser is no module of the package: copied, not compiled
cpSync("src/report/page", "dist/report/page", {
  recursive: true,
  filter: (path) => !path.endsWith("tsconfig.json"),
});
chmodSync("dist/cli/main.js", 0o755);
