/** Food, sport, films, music, the home, sums and shopping. See catalog.ts. */
import type { CatalogTool } from "./tool.ts";
import { INGREDIENTS } from "./values.ts";

export const HOME_AND_HEALTH: readonly CatalogTool[] = [
  {
    name: "search_recipes",
    description: "Recipes that use all the given ingredients.",
    parameters: {
      ingredients: { type: "List[str]", description: "What must be in the dish.", values: INGREDIENTS },
      max_minutes: {
        type: "int",
        description: "Longest cooking time.",
        default: 120,
        values: [15, 20, 30, 45],
      },
      vegetarian: {
        type: "bool, optional",
        description: "Vegetarian dishes only.",
        default: false,
        values: [true],
      },
    },
    requests: ["What can I cook with {ingredients}?", "Find recipes that use {ingredients}."],
    additions: { max_minutes: " in at most {max_minutes} minutes", vegetarian: ", vegetarian only" },
  },
  {
    name: "count_calories",
    description: "Energy in an amount of food.",
    parameters: {
      food: {
        type: "str",
        description: "The food.",
        values: ["porridge", "salmon", "brown rice", "avocado", "almonds"],
      },
      grams: { type: "int", description: "How much, in grams.", values: [30, 80, 125, 200, 350] },
    },
    requests: [
      "How many calories are in {grams} grams of {food}?",
      "Count the calories of {grams} g of {food}.",
    ],
  },
  {
    name: "log_workout",
    description: "Record an exercise.",
    parameters: {
      activity: {
        type: "str",
        description: "The exercise.",
        values: ["running", "swimming", "rowing", "yoga"],
      },
      minutes: { type: "int", description: "How long.", values: { low: 10, high: 90 } },
      heart_rate: {
        type: "int, optional",
        description: "Mean heart rate.",
        default: 0,
        values: { low: 95, high: 175 },
      },
    },
    requests: ["Log {minutes} minutes of {activity}.", "Record that I did {activity} for {minutes} minutes."],
    additions: { heart_rate: " at a heart rate of {heart_rate}" },
  },
  {
    name: "body_mass_index",
    description: "Body mass index from weight and height.",
    parameters: {
      weight_kg: {
        type: "float",
        description: "Weight in kilograms.",
        values: [54.5, 61.2, 72.8, 83.4, 97.1],
      },
      height_m: { type: "float", description: "Height in metres.", values: [1.58, 1.65, 1.72, 1.81, 1.94] },
    },
    requests: [
      "What is the BMI of someone of {weight_kg} kg and {height_m} m?",
      "Calculate a BMI for {weight_kg} kg at {height_m} m.",
    ],
  },
  {
    name: "play_music",
    description: "Play songs of an artist.",
    parameters: {
      artist: {
        type: "str",
        description: "Who to play.",
        values: ["Miriam Makeba", "Daft Punk", "Nina Simone", "Sigur Ros"],
      },
      volume: {
        type: "int",
        description: "Volume from 0 to 100.",
        default: 50,
        values: [10, 25, 35, 70, 90],
      },
      shuffle: { type: "bool, optional", description: "In random order.", default: false, values: [true] },
    },
    requests: ["Play something by {artist}.", "Put on {artist}."],
    additions: { volume: " at volume {volume}", shuffle: " on shuffle" },
  },
  {
    name: "search_movies",
    description: "Films by genre and year.",
    parameters: {
      genre: {
        type: "str",
        description: "One genre.",
        values: ["comedy", "thriller", "documentary", "western"],
      },
      year: { type: "int", description: "Year of release.", values: { low: 1960, high: 2024 } },
      min_rating: {
        type: "float, optional",
        description: "Lowest rating out of 10.",
        default: 0,
        values: [6.5, 7.2, 8.1],
      },
    },
    requests: ["Show me {genre} films from {year}.", "Which {genre} movies came out in {year}?"],
    additions: { min_rating: " rated at least {min_rating}" },
  },
  {
    name: "set_thermostat",
    description: "Set the temperature of a room.",
    parameters: {
      room: { type: "str", description: "The room.", values: ["kitchen", "bedroom", "study", "living room"] },
      celsius: {
        type: "float",
        description: "Temperature in degrees Celsius.",
        values: [17.5, 18.5, 20.5, 21.5, 22.5],
      },
    },
    requests: ["Set the {room} to {celsius} degrees.", "Make it {celsius} degrees in the {room}."],
  },
  {
    name: "switch_light",
    description: "Turn a light on or off.",
    parameters: {
      room: { type: "str", description: "The room.", values: ["kitchen", "bedroom", "hallway", "garage"] },
      state: { type: "str", description: "on or off.", values: ["on", "off"] },
      brightness: {
        type: "int",
        description: "Brightness in percent.",
        default: 100,
        values: [10, 30, 55, 80],
      },
    },
    requests: ["Turn the {room} light {state}.", "Switch {state} the light in the {room}."],
    additions: { brightness: " at {brightness} percent" },
  },
  {
    name: "statistics.mean",
    description: "Mean of a list of numbers.",
    parameters: {
      numbers: {
        type: "List[int]",
        description: "The numbers.",
        values: [
          [3, 8, 13],
          [12, 7, 9, 20],
          [101, 99],
          [5, 5, 6, 8, 11],
        ],
      },
      trim: {
        type: "float, optional",
        description: "Share to cut at both ends.",
        default: 0,
        values: [0.1, 0.25],
      },
    },
    requests: ["What is the mean of {numbers}?", "Average the numbers {numbers}."],
    additions: { trim: " trimmed by {trim}" },
  },
  {
    name: "geometry.triangle_area",
    description: "Area of a triangle.",
    parameters: {
      base: { type: "int", description: "Length of the base.", values: { low: 2, high: 40 } },
      height: { type: "int", description: "Height over the base.", values: { low: 2, high: 40 } },
    },
    requests: [
      "What is the area of a triangle with base {base} and height {height}?",
      "Compute the area of a triangle of base {base} and height {height}.",
    ],
  },
  {
    name: "track_parcel",
    description: "Where a parcel is.",
    parameters: {
      tracking_number: {
        type: "str",
        description: "Number on the receipt.",
        values: ["ZX81-4471", "QF20-9983", "LM55-0127", "00125648"],
      },
      carrier: {
        type: "str, optional",
        description: "Who carries it.",
        default: "any",
        values: ["DHL", "UPS", "FedEx"],
      },
    },
    requests: ["Where is my parcel {tracking_number}?", "Track the parcel {tracking_number}."],
    additions: { carrier: " with {carrier}" },
  },
  {
    name: "add_to_cart",
    description: "Put an item into the shopping cart.",
    parameters: {
      item: {
        type: "str",
        description: "What to buy.",
        values: ["AA batteries", "printer paper", "olive oil", "dog food"],
      },
      quantity: { type: "int", description: "How many.", values: { low: 1, high: 12 } },
      express: { type: "bool, optional", description: "Express delivery.", default: false, values: [true] },
    },
    requests: ["Add {quantity} of {item} to my cart.", "Order {item}, {quantity} of them."],
    additions: { express: " with express delivery" },
  },
];
