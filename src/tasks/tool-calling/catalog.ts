/**
 * Functions that generated rows offer and call, with values for their arguments and requests in words. Every value is
 * written in the request as it must stand in the call, so that a row can be answered from what it says.
 */
import { HOME_AND_HEALTH } from "./catalog/home-and-health.ts";
import { PEOPLE_AND_WORDS } from "./catalog/people-and-words.ts";
import type { CatalogTool } from "./catalog/tool.ts";
import { TRAVEL_AND_MONEY } from "./catalog/travel-and-money.ts";

export const CATALOG: readonly CatalogTool[] = [...TRAVEL_AND_MONEY, ...PEOPLE_AND_WORDS, ...HOME_AND_HEALTH];
