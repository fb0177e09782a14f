/** For tests: event files read back as the formats' own definitions have it, with their checksums. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Fields by number, in order; messages stay bytes. */
type Fields = Map<number, (number | bigint | Uint8Array)[]>;

export interface ReadEvent {
  time: number;
  step: number;
  version?: string;
  isStart?: boolean;
  scalars: Record<string, number>;
  texts: Record<string, string>;
}

/** Bit by bit, as RFC 3720 describes it. */
export function slowCrc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc ^ (byte >> bit)) & 1;
      crc = (crc >>> 1) ^ (carry ? 0x82f63b78 : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function masked(data: Uint8Array): number {
  const crc = BigInt(slowCrc32c(data));
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** Throws at the first record that is not whole. */
export function readRecords(file: Buffer): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    if (file.readUInt32LE(at + 8) !== masked(file.subarray(at, at + 8))) throw new Error("length damaged");
    const data = file.subarray(at + 12, at + 12 + length);
    if (file.readUInt32LE(at + 12 + length) !== masked(data)) throw new Error("data damaged");
    records.push(data);
    at += 16 + length;
  }
  return records;
}

export function readEvents(file: Buffer): ReadEvent[] {
  return readRecords(file).map((record) => {
    const event = fieldsOf(record);
    const [version] = event.get(3) ?? [];
    const log = event.get(7)?.[0];
    const read: ReadEvent = {
      time: event.get(1)![0] as number,
      step: Number(event.get(2)?.[0] ?? 0),
      ...(version !== undefined && { version: textFrom(version) }),
      ...(log !== undefined && { isStart: Number(fieldsOf(log as Uint8Array).get(1)![0]) === 1 }),
      scalars: {},
      texts: {},
    };
    for (const summary of event.get(5) ?? []) {
      for (const entry of fieldsOf(summary as Uint8Array).get(1) ?? []) {
        const value = fieldsOf(entry as Uint8Array);
        const tag = textFrom(value.get(1)![0]!);
        const [tensor] = value.get(8) ?? [];
        if (tensor === undefined) read.scalars[tag] = value.get(2)![0] as number;
        else read.texts[tag] = textFrom(fieldsOf(tensor as Uint8Array).get(8)![0]!);
      }
    }
    return read;
  });
}

const textFrom = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value =
      type === WireType.Bit64
        ? reader.double()
        : type === WireType.Bit32
          ? reader.float()
          : type === WireType.Varint
            ? BigInt(reader.int64())
            : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}
