/** Calendar, messages, people and words. See catalog.ts. */
import type { CatalogTool } from "./tool.ts";
import { date, LANGUAGES, PEOPLE, TIMES } from "./values.ts";

export const PEOPLE_AND_WORDS: readonly CatalogTool[] = [
  {
    name: "create_event",
    description: "Put an event into the calendar.",
    parameters: {
      title: {
        type: "str",
        description: "What it is called.",
        values: ["Design review", "Dentist", "Piano lesson", "Budget meeting", "Team lunch"],
      },
      date: date("Day of the event"),
      time: { type: "str", description: "Start, as HH:MM.", values: TIMES },
      duration_minutes: {
        type: "int",
        description: "Length in minutes.",
        default: 60,
        values: [15, 30, 45, 90, 120],
      },
    },
    requests: [
      'Put "{title}" into my calendar on {date} at {time}.',
      'Schedule "{title}" for {date} at {time}.',
    ],
    additions: { duration_minutes: " for {duration_minutes} minutes" },
  },
  {
    name: "set_reminder",
    description: "Remind the user of something.",
    parameters: {
      text: {
        type: "str",
        description: "What to say.",
        values: ["water the plants", "call the bank", "renew the passport", "take out the bins"],
      },
      time: { type: "str", description: "When, as HH:MM.", values: TIMES },
      repeat: {
        type: "str, optional",
        description: "daily, weekly or monthly.",
        default: "never",
        values: ["daily", "weekly", "monthly"],
      },
    },
    requests: ['Remind me to "{text}" at {time}.', 'Set a reminder, "{text}", for {time}.'],
    additions: { repeat: ", {repeat}" },
  },
  {
    name: "set_timer",
    description: "Start a countdown.",
    parameters: {
      minutes: { type: "int", description: "Minutes to count down.", values: { low: 1, high: 90 } },
    },
    requests: ["Set a timer for {minutes} minutes.", "Start a {minutes}-minute timer."],
  },
  {
    name: "send_email",
    description: "Send an email to one or more people.",
    parameters: {
      recipients: {
        type: "List[str]",
        description: "Names of the recipients.",
        values: PEOPLE.map((name, i) => [name, PEOPLE[(i + 3) % PEOPLE.length]!].slice(0, 1 + (i % 2))),
      },
      subject: {
        type: "str",
        description: "Subject line.",
        values: ["Invoice overdue", "Trip photos", "Minutes of Monday", "New schedule"],
      },
      urgent: { type: "bool, optional", description: "Mark as urgent.", default: false, values: [true] },
    },
    requests: [
      'Email {recipients} with the subject "{subject}".',
      'Send an email called "{subject}" to {recipients}.',
    ],
    additions: { urgent: " and mark it as urgent" },
  },
  {
    name: "find_contact",
    description: "Look a person up in the address book.",
    parameters: {
      name: { type: "str", description: "Full name.", values: PEOPLE },
      field: {
        type: "str, optional",
        description: "What to return.",
        default: "all",
        values: ["phone", "email", "address"],
      },
    },
    requests: ["Look up {name} in my contacts.", "Find {name} in the address book."],
    additions: { field: " and return the {field}" },
  },
  {
    name: "translate_text",
    description: "Translate a sentence.",
    parameters: {
      text: {
        type: "str",
        description: "The sentence.",
        values: [
          "Where is the station?",
          "The soup is cold.",
          "We arrive tomorrow.",
          "Thank you for waiting.",
        ],
      },
      target_language: { type: "str", description: "Language to translate into.", values: LANGUAGES },
      formal: { type: "bool, optional", description: "Use polite forms.", default: false, values: [true] },
    },
    requests: ['Translate "{text}" into {target_language}.', 'How do you say "{text}" in {target_language}?'],
    additions: { formal: " formally" },
  },
  {
    name: "define_word",
    description: "Definition of a word.",
    parameters: {
      word: {
        type: "str",
        description: "The word.",
        values: ["obdurate", "lacuna", "zephyr", "mellifluous", "quorum"],
      },
      examples: {
        type: "int",
        description: "Example sentences to give.",
        default: 0,
        values: { low: 1, high: 5 },
      },
    },
    requests: ['What does "{word}" mean?', 'Define the word "{word}".'],
    additions: { examples: " with {examples} examples" },
  },
];
