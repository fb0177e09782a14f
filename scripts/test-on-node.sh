#!/usr/bin/env bash
# Runs the test suite on another Node: test-on-node.sh <major version>. The binary comes from npm; where it cannot be
# installed the run is skipped, and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

package=node-$(node -p '`${process.platform}-${process.arch}`')
if ! npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "$package@$version"; then
  echo "SKIPPED: $package@$version cannot be installed from npm"
  exit 0
fi
node=$folder/node_modules/$package/bin/node
echo "Node $("$node" --version)"
"$node" node_modules/vitest/vitest.mjs run
