import { expect, test } from "vitest";
import { loggersIn } from "./loggers.ts";

const env = { MLFLOW_TRACKING_URI: "http://127.0.0.1:5000" };

test.each([
  ["none", []],
  ["tensorboard", ["tensorboard"]],
  ["mlflow, tensorboard,mlflow", ["mlflow", "tensorboard"]],
])("%s names %j", (reportTo, names) => {
  expect(loggersIn(reportTo, env)).toEqual(names);
});

test.each([
  ["wandb", /got "wandb"/, /`wandb sync`/],
  ["tensorbord", /must be none, tensorboard or mlflow, got "tensorbord"/, /did you mean "tensorboard"/],
  ["", /got ""/, /tensorboard,mlflow/],
  ["none,tensorboard", /got "none"/, /./],
])("%j is refused before a run begins", (reportTo, message, hint) => {
  expect(() => loggersIn(reportTo, env)).toThrow(
    expect.objectContaining({
      code: "config",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    }),
  );
});

test("mlflow without a server is refused before a run begins", () => {
  expect(() => loggersIn("tensorboard,mlflow", {})).toThrow(/^MLFLOW_TRACKING_URI: must be/);
});
