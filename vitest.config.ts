import { defineConfig } from "vitest/config";

/** What the fast suite and the long one (vitest.long.config.ts) have in common. */
export const shared = {
  setupFiles: ["test/seed.ts"],
  pool: "forks" as const,
  maxWorkers: 2,
  testTimeout: 30_000,
  hookTimeout: 30_000,
};

export default defineConfig({
  test: {
    ...shared,
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/long/**", "node_modules/**", "dist/**"],
  },
});
