/** Shows how a model or data set of the hub is coming: one line that counts megabytes, or a word on why the cache was used. */
import { printable } from "../../core/printable.ts";
import type { HubEvent, SetupOptions } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";
import { createProgress, type Progress, type ProgressStream } from "./progress.ts";

/** For `openSetup`: shows downloads and warnings on stderr, and lets Ctrl-C stop the former. */
export function downloadOptions({
  stderr,
  signal,
}: Pick<CliContext, "stderr" | "signal">): Pick<SetupOptions, "onHubEvent" | "onWarning" | "signal"> {
  const onWarning = (message: string) => void stderr.write(printable(`warning: ${message}\n`));
  return { onHubEvent: createDownloadView(stderr), onWarning, signal };
}

export function createDownloadView(stream: ProgressStream): (event: HubEvent) => void {
  let progress: Progress | undefined;
  /** The last file of a download that has ended. */
  let ended: string | undefined;
  return (event) => {
    if (event.type === "from-cache") {
      stream.write(printable(`${event.reason}; using commit ${event.commit.slice(0, 7)} from the cache\n`));
      return;
    }
    const { file, received, total } = event;
    if (received >= total && ended === file) return;
    progress ??= createProgress({ stream, label: "download MB", total: megabytes(total) });
    progress.update(megabytes(received), { note: printable(file) });
    ended = received >= total ? file : undefined;
    if (ended === undefined) return;
    progress.end();
    progress = undefined; // another one has a total of its own
  };
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
