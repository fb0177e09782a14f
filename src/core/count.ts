/** A number with its noun, for people: "1 core", "1,200 problems". Knows plurals in -s and no others. */
export const count = (number: number, noun: string) =>
  `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
