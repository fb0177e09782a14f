import { describe, expect, test } from "vitest";
import { drawItems } from "./feed.ts";

const items = Array.from({ length: 10 }, (_, i) => ({ id: `f${i}` }));
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id);

/** The draws of `steps` steps, one after the other. */
function drawSteps(steps: number, count: number, seed = 1): string[][] {
  let position = 0;
  return Array.from({ length: steps }, () => {
    const draw = drawItems(items, { seed, position, count });
    position = draw.position;
    return ids(draw.drawn);
  });
}

describe("drawItems", () => {
  test("uses every item once before any twice, in another order in each epoch", () => {
    const [a, b, c, d] = drawSteps(4, 5);
    expect([...a!, ...b!].sort()).toEqual(ids(items));
    expect([...c!, ...d!].sort()).toEqual(ids(items));
    expect([...c!, ...d!]).not.toEqual([...a!, ...b!]);
  });

  test("never puts an item twice into one step, also where an epoch ends inside it", () => {
    for (const [seed] of Array.from({ length: 20 }).entries()) {
      for (const step of drawSteps(12, 7, seed)) expect(new Set(step).size).toBe(7);
    }
  });

  test("draws what the position says, whatever was drawn before", () => {
    const { position } = drawItems(items, { seed: 1, position: 0, count: 8 });
    expect(position).toBe(8);
    expect(ids(drawItems(items, { seed: 1, position, count: 2 }).drawn)).toEqual(drawSteps(5, 2)[4]);
  });

  test("leaves out what is held, and gives what there is when that is too little", () => {
    const held = items.slice(0, 7);
    const { drawn } = drawItems(items, { seed: 1, position: 0, count: 5, held });
    expect(ids(drawn).sort()).toEqual(["f7", "f8", "f9"]);
    expect(drawItems(items, { seed: 1, position: 4, count: 5, held: items })).toEqual({
      drawn: [],
      position: 4,
    });
  });
});
