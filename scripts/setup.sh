#!/bin/sh
# Installs the npm packages of the lockfile when they are missing or older than it. Runs on the host's own Node
# (20 or newer); everything after it runs on the Node that the lockfile pins.
set -eu
cd "$(dirname "$0")/.."
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ] ||
  ! node_modules/.bin/node --version >/dev/null 2>&1; then
  command -v npm >/dev/null || { echo "setup: npm is missing; install Node.js 20 or newer" >&2; exit 1; }
  echo "setup: installing npm packages (about half a minute)"
  # Not `npm ci`: it refuses a lockfile that lacks the optional packages of platforms this registry does not carry.
  # `install` keeps to the lockfile's versions and hashes all the same, and --no-save leaves the file as it is.
  npm install --no-save --no-fund --no-audit --loglevel=error
  touch node_modules/.package-lock.json
fi
