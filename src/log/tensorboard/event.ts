/** The few messages of TensorBoard's event.proto and summary.proto that a run needs, as bytes. Knows nothing of files. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { integer, message, text } from "../../core/protobuf.ts";

/** What an event says. Its step and time stand beside it. */
export type EventContent =
  /** The first of a file: readers tell by it how to treat the others. */
  | { version: true }
  /** The run starts with this step: whatever an earlier start told of it and later ones is void. */
  | { start: true }
  | { scalars: readonly (readonly [tag: string, value: number])[] }
  /** Markdown. */
  | { tag: string; text: string };

const FILE_VERSION = "brain.Event:2";
/** SessionLog.SessionStatus */
const START = 1;
/** DataType */
const DT_STRING = 7;

/** tensorflow.Event; `time` in seconds since 1970. */
export function encodeEvent(time: number, step: number, content: EventContent): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(time);
  integer(writer, 2, step);
  if ("version" in content) text(writer, 3, FILE_VERSION);
  else if ("start" in content) message(writer, 7, (log) => integer(log, 1, START));
  else message(writer, 5, (summary) => writeSummary(summary, content));
  return writer.finish();
}

function writeSummary(writer: BinaryWriter, content: EventContent): void {
  if ("scalars" in content) {
    for (const [tag, value] of content.scalars) {
      message(writer, 1, (w) => {
        text(w, 1, tag);
        w.tag(2, WireType.Bit32).float(Math.fround(value)); // what has no float is infinite, and no error
      });
    }
  } else if ("text" in content) {
    message(writer, 1, (value) => {
      text(value, 1, content.tag);
      message(value, 9, (metadata) => message(metadata, 1, (plugin) => text(plugin, 1, "text")));
      message(value, 8, (tensor) => {
        integer(tensor, 1, DT_STRING);
        message(tensor, 2, (shape) => message(shape, 2, (dim) => integer(dim, 1, 1)));
        text(tensor, 8, content.text);
      });
    });
  }
}
