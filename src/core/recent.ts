/** Keeps what was made last: for what is asked for again and again and takes long to make. */

/** `make`, called once for a key while the key is among the `limit` that were asked for last. What it throws is not kept. */
export function recent<T extends NonNullable<unknown>>(
  limit: number,
  make: (key: string) => T,
): (key: string) => T {
  const kept = new Map<string, T>();
  return (key) => {
    const value = kept.get(key) ?? make(key);
    kept.delete(key); // again as the newest
    kept.set(key, value);
    if (kept.size > limit) kept.delete(kept.keys().next().value!);
    return value;
  };
}
