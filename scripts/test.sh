#!/bin/sh
# Everything that must hold: checks, unit tests, tests against the kernel, tests with real clients.
#   sh scripts/test.sh
set -eu
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }

say "set-up"
sh scripts/setup.sh clients
PATH="$PWD/node_modules/.bin:$PWD/.cache/clients/bin:$PATH:/usr/sbin:/sbin"
export PATH NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/node}"

say "format, lint, types, guards"
npm run --silent check

say "unit tests"
npm run --silent unit

if [ "$(id -u)" != 0 ]; then
  echo "tests against the kernel and with real clients need root; they were not run" >&2
  exit 1
fi
say "against the kernel"
node --test --test-concurrency=1 'test/system/*.test.ts'

say "with real clients"
node --test --test-concurrency=1 'test/conformance/*.test.ts'
