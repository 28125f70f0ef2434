#!/bin/sh
# Every benchmark, one after another, on a machine where nothing else is busy. Peers come from Debian and PyPI: etcd-server, wrk, moto.
#   npm run bench
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin"
export PATH NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/node}"
has() { command -v "$1" >/dev/null 2>&1; }
has etcd || apt-get install -y -qq --no-install-recommends etcd-server
has wrk || apt-get install -y -qq --no-install-recommends wrk
has moto_server || echo "bench/aws.ts compares with moto_server: pip install 'moto[server]'" >&2

for bench in start store aws engine engine-growth build layers kubernetes-api kubernetes-scheduler kubernetes-services clusters; do
  printf '\n== bench/%s.ts\n' "$bench"
  node "bench/$bench.ts" || echo "(a target was missed)"
done
