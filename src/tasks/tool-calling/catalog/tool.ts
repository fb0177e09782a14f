/** A function of the catalog: what is offered to the model, and how people ask for it. */

export interface CatalogParameter {
  /** As xlam-function-calling-60k writes types. */
  type: string;
  description: string;
  /** With a default the argument may be left out. */
  default?: string | number | boolean;
  /** What it can be: a list of values, or the lowest and highest integer. */
  values: readonly CatalogValue[] | { low: number; high: number };
}

export type CatalogValue = string | number | boolean | readonly string[] | readonly number[];

export interface CatalogTool {
  name: string;
  description: string;
  parameters: Readonly<Record<string, CatalogParameter>>;
  /** Sentences with `{argument}` in place of every required value. */
  requests: readonly string[];
  /** Words that add an argument that may be left out; a boolean's stand for true. */
  additions?: Readonly<Record<string, string>>;
}
