/** Weather, travel and money. See catalog.ts. */
import type { CatalogTool } from "./tool.ts";
import { CURRENCIES, city, date, PRICES } from "./values.ts";

export const TRAVEL_AND_MONEY: readonly CatalogTool[] = [
  {
    name: "get_weather_forecast",
    description: "Forecast the weather of a city for the coming days.",
    parameters: {
      city: city("The city to forecast."),
      days: { type: "int", description: "How many days ahead.", values: { low: 2, high: 10 } },
      units: {
        type: "str, optional",
        description: "metric or imperial.",
        default: "metric",
        values: ["imperial"],
      },
    },
    requests: [
      "What will the weather be in {city} over the next {days} days?",
      "Give me a {days}-day forecast for {city}.",
    ],
    additions: { units: " in {units} units" },
  },
  {
    name: "get_air_quality",
    description: "Current air quality of a city.",
    parameters: {
      city: city("The city to look up."),
      pollutant: {
        type: "str",
        description: "One pollutant.",
        default: "all",
        values: ["PM2.5", "NO2", "ozone"],
      },
    },
    requests: ["How clean is the air in {city} right now?", "Check the air quality in {city}."],
    additions: { pollutant: ", {pollutant} only" },
  },
  {
    name: "search_flights",
    description: "Find flights between two cities on a day.",
    parameters: {
      origin: city("Where the flight starts."),
      destination: {
        type: "str",
        description: "Where it lands.",
        values: ["Paris", "Seoul", "Bogota", "Dublin", "Accra"],
      },
      date: date("Day of departure"),
      passengers: { type: "int", description: "Number of seats.", default: 1, values: { low: 2, high: 6 } },
      cabin: {
        type: "str, optional",
        description: "Cabin class.",
        default: "economy",
        values: ["business", "first"],
      },
    },
    requests: [
      "Find flights from {origin} to {destination} on {date}.",
      "I need to fly from {origin} to {destination} on {date}.",
    ],
    additions: { passengers: " for {passengers} people", cabin: " in {cabin} class" },
  },
  {
    name: "book_hotel",
    description: "Book a room in a city.",
    parameters: {
      city: city("City of the hotel."),
      check_in: date("First night"),
      nights: { type: "int", description: "How many nights.", values: { low: 1, high: 14 } },
      breakfast: {
        type: "bool, optional",
        description: "Breakfast included.",
        default: false,
        values: [true],
      },
    },
    requests: [
      "Book a hotel in {city} from {check_in} for {nights} nights.",
      "Reserve a room in {city} for {nights} nights starting {check_in}.",
    ],
    additions: { breakfast: " with breakfast" },
  },
  {
    name: "plan_route",
    description: "Directions between two places.",
    parameters: {
      start: {
        type: "str",
        description: "Starting point.",
        values: ["the central station", "the airport", "the old harbour", "City Hall"],
      },
      end: {
        type: "str",
        description: "Destination.",
        values: ["the science museum", "the stadium", "Hill Park", "the university"],
      },
      mode: {
        type: "str",
        description: "driving, walking, cycling or transit.",
        values: ["driving", "walking", "cycling", "transit"],
      },
      avoid_tolls: {
        type: "bool, optional",
        description: "Keep off toll roads.",
        default: false,
        values: [true],
      },
    },
    requests: ["How do I get from {start} to {end} by {mode}?", "Plan a {mode} route from {start} to {end}."],
    additions: { avoid_tolls: " that avoids tolls" },
  },
  {
    name: "convert_currency",
    description: "Convert an amount of money at today's rate.",
    parameters: {
      amount: { type: "float", description: "The amount.", values: PRICES },
      from_currency: {
        type: "str",
        description: "ISO code to convert from.",
        values: CURRENCIES.slice(0, 4),
      },
      to_currency: { type: "str", description: "ISO code to convert to.", values: CURRENCIES.slice(4) },
    },
    requests: [
      "Convert {amount} {from_currency} to {to_currency}.",
      "How much is {amount} {from_currency} in {to_currency}?",
    ],
  },
  {
    name: "calculate_tip",
    description: "The tip on a bill.",
    parameters: {
      bill: { type: "float", description: "Total of the bill.", values: PRICES },
      percent: { type: "int", description: "Tip in percent.", values: { low: 8, high: 25 } },
      split: {
        type: "int, optional",
        description: "How many share the bill.",
        default: 1,
        values: { low: 2, high: 9 },
      },
    },
    requests: [
      "What is a {percent}% tip on a bill of {bill}?",
      "Work out a {percent} percent tip on {bill}.",
    ],
    additions: { split: " split between {split} people" },
  },
  {
    name: "loan_payment",
    description: "Monthly payment of a loan.",
    parameters: {
      principal: {
        type: "int",
        description: "Amount borrowed.",
        values: [8000, 15000, 42000, 120000, 310000],
      },
      annual_rate: {
        type: "float",
        description: "Yearly interest in percent.",
        values: [2.5, 3.75, 4.9, 6.25],
      },
      years: { type: "int", description: "Term in years.", values: { low: 3, high: 30 } },
    },
    requests: [
      "What is the monthly payment on a loan of {principal} at {annual_rate}% over {years} years?",
      "Calculate the payments for borrowing {principal} at {annual_rate} percent for {years} years.",
    ],
  },
  {
    name: "get_stock_price",
    description: "Price of a share.",
    parameters: {
      ticker: {
        type: "str",
        description: "Ticker symbol.",
        values: ["AAPL", "MSFT", "TSLA", "NVDA", "AMZN", "SAP"],
      },
      date: { ...date("Day of the price"), type: "str, optional", default: "" },
    },
    requests: ["What is the share price of {ticker}?", "Look up the price of {ticker}."],
    additions: { date: " on {date}" },
  },
];
