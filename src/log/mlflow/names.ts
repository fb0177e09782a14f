/** Settings and metrics under names, and within lengths, that every MLflow server takes (mlflow/utils/validation.py). */
import type { KeyValue } from "./client.ts";

/** Older servers refuse more; newer ones take 6000. */
const MAX_VALUE = 500;
const MAX_KEY = 250;

/** Settings as text, sections by dotted names. Empty ones are left out: some servers refuse them. */
export function paramsFrom(settings: Readonly<Record<string, unknown>>): KeyValue[] {
  const params = new Map<string, string>();
  const add = (path: string, value: unknown) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const key = path.replace(/[^\w. -]/g, "_").slice(0, MAX_KEY);
    if (text) params.set(key, text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE - 1)}…` : text);
  };
  for (const [name, value] of Object.entries(settings)) {
    const isSection = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isSection) add(name, value);
    else for (const [inner, setting] of Object.entries(value)) add(`${name}.${inner}`, setting);
  }
  return [...params].map(([key, value]) => ({ key, value }));
}

/** A metric's name as it is, but for characters that MLflow does not allow. */
export function metricKey(name: string): string {
  return name.replace(/[^\w./ -]/g, "_").slice(0, MAX_KEY);
}
