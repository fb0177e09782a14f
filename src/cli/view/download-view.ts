/** Shows how a model of the hub is coming: one line that counts megabytes, or a word on why the cache was used. */
import type { HubEvent, SetupOptions } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";
import { createProgress, type Progress, type ProgressStream } from "./progress.ts";

/** For `openSetup`: shows downloads on stderr, and lets Ctrl-C stop them. */
export function downloadOptions({
  stderr,
  signal,
}: Pick<CliContext, "stderr" | "signal">): Pick<SetupOptions, "onHubEvent" | "signal"> {
  return { onHubEvent: createDownloadView(stderr), signal };
}

export function createDownloadView(stream: ProgressStream): (event: HubEvent) => void {
  let progress: Progress | undefined;
  return (event) => {
    if (event.type === "from-cache") {
      stream.write(`${event.reason}; using commit ${event.commit.slice(0, 7)} from the cache\n`);
      return;
    }
    const { file, received, total } = event;
    progress ??= createProgress({ stream, label: "download MB", total: megabytes(total) });
    progress.update(megabytes(received), { note: file });
    if (received >= total) progress.end();
  };
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
