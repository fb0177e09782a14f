"""Runs BFCL's own checker on the calls that write-calls.ts wrote, and keeps its verdicts.

    git clone https://github.com/ShishirPatil/gorilla        (we used 6ea5797)
    python verdicts.py gorilla/berkeley-function-call-leaderboard calls.jsonl > verdicts.jsonl

One line for each category and kind of mutation: a letter for each row in the order of BFCL's file (v valid, i invalid,
r the checker raised, - nothing to mutate), its error types with their counts, and a hash of the calls. No row of BFCL is
in the output. Needs nothing but Python: the table of models, which imports every provider's client, is left out.
"""

import collections
import hashlib
import json
import sys
import types

root, calls_path = sys.argv[1:3]
sys.path.insert(0, root)
models = types.ModuleType("bfcl_eval.constants.model_config")
models.MODEL_CONFIG_MAPPING = {"any": types.SimpleNamespace(underscore_to_dot=False)}
sys.modules["bfcl_eval.constants.model_config"] = models

from bfcl_eval.constants.enums import Language  # noqa: E402
from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker  # noqa: E402


def read(name):
    with open(f"{root}/bfcl_eval/data/{name}") as lines:
        return {row["id"]: row for row in map(json.loads, lines)}


tables = {}
data = {}
for line in open(calls_path):
    case = json.loads(line)
    category = case["category"]
    if category not in data:
        name = f"BFCL_v4_{category}.json"
        data[category] = read(name), read(f"possible_answer/{name}")
    rows, answers = data[category]
    table = tables.setdefault(
        (category, case["kind"]),
        {"letters": [], "errors": collections.Counter(), "hash": hashlib.sha256()},
    )
    table["hash"].update((case["calls"] + "\n").encode())
    calls = json.loads(case["calls"])
    if calls is None:
        table["letters"].append("-")
        continue
    try:
        result = ast_checker(
            rows[case["id"]]["function"], calls, answers[case["id"]]["ground_truth"], Language.PYTHON, category, "any"
        )
    except Exception as error:
        table["letters"].append("r")
        table["errors"][type(error).__name__] += 1
        continue
    table["letters"].append("v" if result["valid"] else "i")
    if not result["valid"]:
        table["errors"][result["error_type"]] += 1

for (category, kind), table in tables.items():
    print(
        json.dumps(
            {
                "category": category,
                "kind": kind,
                "verdicts": "".join(table["letters"]),
                "errors": dict(sorted(table["errors"].items())),
                "calls": table["hash"].hexdigest()[:16],
            }
        )
    )
