/** What graphs are computed on: the runtime's names. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml"] as const;
export type Device = (typeof DEVICES)[number];
