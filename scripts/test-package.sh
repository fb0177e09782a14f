#!/usr/bin/env bash
# Packs the package as npm would publish it, installs it into an empty folder and uses it there: what works only in the
# repository (a worker file or a model that is not packed, a development dependency) fails here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "package: $1" >&2
  exit 1
}

pack() {
  npm run --silent build
  npm pack --silent --pack-destination "$folder" > /dev/null
  tarball=$(echo "$folder"/mulligan-*.tgz)
  echo "$(basename "$tarball"): $(du -k "$tarball" | cut -f1) kB"
}

install_into_empty_folder() {
  mkdir "$folder/app"
  cd "$folder/app"
  echo '{ "private": true, "type": "module" }' > package.json
  ONNXRUNTIME_NODE_INSTALL=skip npm install --no-audit --no-fund "$tarball"
  package=$folder/app/node_modules/mulligan
}

check_files() {
  local workers models worker model file
  workers=$(cd "$repository/src" && find . -name '*worker.ts')
  models=$(cd "$repository/models" && find . -name config.json -exec dirname {} \;)
  [[ -n $workers ]] || fail "no worker found in src"
  [[ -n $models ]] || fail "no model found in models"
  for worker in $workers; do
    [[ -f $package/dist/${worker%.ts}.js ]] || fail "dist/${worker#./} (built) is not in it"
  done
  for model in $models; do
    for file in config.json model.safetensors tokenizer.json tokenizer_config.json; do
      [[ -s $package/models/$model/$file ]] || fail "models/${model#./}/$file is not in it"
    done
  done
  for file in "$repository"/src/report/page/*.{js,css}; do
    [[ -s $package/dist/report/page/$(basename "$file") ]] || fail "dist/report/page/$(basename "$file") is not in it"
  done
  [[ -z $(find "$package/dist" -name '*.test.*') ]] || fail "tests are in it"
}

run_command() {
  local expected actual
  expected=$(node -p "require('$repository/package.json').version")
  actual=$(npx --no-install mulligan --version)
  [[ $actual == "$expected" ]] || fail "mulligan --version printed '$actual', expected '$expected'"
  npx --no-install mulligan train --preset mini --dry-run > settings.json
}

train_two_steps() {
  npx --no-install mulligan train --preset mini --output-dir run --max-steps 2 --failures-per-step 4 \
    --collect.max-problems 50 --eval.test-problems 20 --eval.validation-problems 20 > report.txt
  grep -q "Rescue on the" report.txt || fail "mulligan train printed no report"
  [[ -s run/model/model.safetensors && -s run/model/tokenizer.json ]] || fail "mulligan train left no model"
  grep -q "</html>" run/report.html || fail "mulligan train left no report.html"
  npx --no-install mulligan inspect run --limit 1 > episode.txt || fail "mulligan inspect shows no episode"
}

begin_a_task() {
  npx --no-install mulligan init own > init.txt
  npx --no-install mulligan check-task own/task.ts > check.txt || fail "the starter does not pass check-task"
  grep -Eq "^gold answer +pass +32 +0 +0$" check.txt || fail "check-task printed '$(cat check.txt)'"
}

import_library() {
  cat > use.js << 'JS'
import { readFileSync } from "node:fs";
const { exports } = JSON.parse(readFileSync("node_modules/mulligan/package.json", "utf8"));
for (const path of Object.keys(exports).filter((path) => !path.endsWith(".json"))) {
  const names = Object.keys(await import(`mulligan${path.slice(1)}`));
  if (names.length === 0) throw new Error(`mulligan${path.slice(1)} exports nothing`);
  console.log(`mulligan${path.slice(1)}: ${names.length} exports`);
}
JS
  node use.js
}

pack
install_into_empty_folder
check_files
run_command
train_two_steps
begin_a_task
import_library
