/**
 * Typed values of a graph: dtype and shape are known while the graph is built, so that mistakes are found there and
 * not inside the runtime. A dimension is a number or a symbol; symbols multiply to a normal form ("B*T").
 */
import { MulliganError } from "../core/errors.ts";

export type FloatType = "float32" | "float64";
export type DType = FloatType | "int64" | "int8" | "uint8" | "bool";
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** The error of an op that was given values it cannot take: names the op and every shape involved. */
export function graphError(op: string, rule: string, ...values: readonly Value[]): MulliganError {
  const got = values.map((v) => `${formatShape(v.shape)} ${v.dtype}`).join(" and ");
  return new MulliganError("graph", `${op}: ${rule}, got ${got}`);
}

/** The product of dimensions: numbers multiply, symbols join in sorted order, e.g. 4·"T"·"B" = "4*B*T". */
export function multiplyDims(dims: readonly Dim[]): Dim {
  let factor = 1;
  const symbols: string[] = [];
  for (const dim of dims) {
    for (const part of String(dim).split("*")) {
      if (/^\d+$/.test(part)) factor *= Number(part);
      else symbols.push(part);
    }
  }
  if (symbols.length === 0 || factor === 0) return factor;
  symbols.sort();
  return factor === 1 ? symbols.join("*") : `${factor}*${symbols.join("*")}`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy broadcasting; undefined when the shapes do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    shape.push(x === 1 ? y : x);
  }
  return shape;
}
