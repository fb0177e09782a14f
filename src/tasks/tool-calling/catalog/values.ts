/** Values that several functions of the catalog share. */

const CITIES =
  "Lima|Oslo|Nairobi|Toronto|Kyoto|Lisbon|Austin|Hanoi|Bergen|Cape Town|Mexico City|Naples".split("|");
export const PEOPLE =
  "Amara Diallo|Jonas Weber|Mei Lin|Sofia Rossi|Omar Haddad|Priya Nair|Lucas Silva|Emma Clark".split("|");
const DATES = "2025-01-09|2025-02-14|2025-03-21|2025-04-02|2025-06-30|2025-08-17|2025-10-05|2025-12-24".split(
  "|",
);
export const TIMES = "07:30|09:00|11:45|13:15|15:30|18:00|20:45".split("|");
export const CURRENCIES = "USD|EUR|JPY|GBP|BRL|INR|NOK|ZAR".split("|");
export const LANGUAGES = "French|German|Spanish|Japanese|Swahili|Portuguese|Hindi".split("|");
export const INGREDIENTS = [
  ["lentils", "spinach"],
  ["tofu", "ginger", "rice"],
  ["chicken", "lemon"],
  ["eggs", "leek", "potatoes"],
  ["chickpeas", "cumin"],
] as const;
export const PRICES = [12.5, 19.99, 45.75, 80.4, 129.95, 250.25];

export const date = (description: string) => ({
  type: "str",
  description: `${description}, as YYYY-MM-DD.`,
  values: DATES,
});
export const city = (description: string) => ({ type: "str", description, values: CITIES });
