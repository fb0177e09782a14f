/** How a model's matrices may be kept in memory instead of as float32, by the bits of an integer. */
export const QUANTIZATIONS = ["int8", "int4"] as const;
export type Quantization = (typeof QUANTIZATIONS)[number];
