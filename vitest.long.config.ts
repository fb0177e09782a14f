import { defineConfig } from "vitest/config";
import { shared } from "./vitest.config.ts";

/** `npm run test:long`: whole runs that are stopped, killed, forked and broken. */
export default defineConfig({
  test: { ...shared, testTimeout: 120_000, include: ["test/long/**/*.test.ts"] },
});
