/**
 * Makes a check of a function: told of before and after, skipped when something that it needs is not there. Knows of no check
 * in particular.
 */
import { type Check, findingFrom, type Opened } from "./check.ts";

export type DoctorEvent = { type: "checking"; name: string } | { type: "checked"; check: Check };

type Needs = Readonly<Record<string, unknown>>;
type Met<N extends Needs> = { [K in keyof N]: NonNullable<N[K]> };
type Answer<T> = Opened<T> | Promise<Opened<T>>;

/** Gives on what the function opened: undefined where it failed or was skipped. */
export type Examine = <N extends Needs, T = never>(
  name: string,
  needs: N,
  look: (met: Met<N>) => Answer<T>,
) => AsyncGenerator<DoctorEvent, T | undefined, undefined>;

/** Checks throw the signal's reason when stopped, and nothing else: what goes wrong is a finding. */
export function examiner(signal: AbortSignal | undefined): Examine {
  return async function* (name, needs, look) {
    signal?.throwIfAborted();
    yield { type: "checking", name };
    const missing = Object.keys(needs).filter((key) => needs[key] === undefined);
    if (missing.length > 0) {
      yield { type: "checked", check: { name, status: "skipped", found: `needs ${missing.join(", ")}` } };
      return undefined;
    }
    const { value, ...finding } = await Promise.resolve()
      .then(() => look(needs as Met<typeof needs>))
      .catch((error): Awaited<ReturnType<typeof look>> => findingFrom(error));
    signal?.throwIfAborted();
    yield { type: "checked", check: { name, ...finding } };
    return finding.status === "failed" ? undefined : value;
  };
}
