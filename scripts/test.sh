#!/bin/sh
# Everything that must hold: checks, unit tests, tests against the kernel, tests with real clients.
#   sh scripts/test.sh [all]
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

# What upstream's conformance tests ask, held against the ledger: all that needs no node, and with "all" what needs pods too.
conformance() { # conformance FILES
  node --test --test-concurrency=1 --test-timeout=180000 --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=./test/kubernetes/ledger.ts --test-reporter-destination=stdout "$1"
}
say "Kubernetes conformance, in process"
conformance 'test/kubernetes/*.api.test.ts'

say "with real clients"
node --test --test-concurrency=1 'test/conformance/*.test.ts'

if [ "${1-}" = all ]; then
  say "Kubernetes conformance, with nodes"
  conformance 'test/kubernetes/*.pods.test.ts'
fi
