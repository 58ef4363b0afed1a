#!/usr/bin/env bash
# Run every check of the book. Needs Python 3.11 or newer; sets itself up.
set -Eeuo pipefail # -E: the trap below holds inside functions too
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/environment.sh

if (($#)); then
  echo "Usage: ./test_all.sh    runs every check and stops at the first that fails" >&2
  exit 2
fi
trap 'echo "test_all.sh: FAILED at: ${step-setting up}" >&2' ERR

run() {
  step=$1
  shift
  printf '\n== %s\n' "$step"
  "$@"
}

# The browser tests take a Chromium from the PATH. Where there is none, Debian's, or Playwright's own.
find_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then return; fi
  done
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
  else
    "$venv_python" -m playwright install chromium
  fi
}

ensure_environment requirements/test.txt requirements/torch.txt requirements/models.txt

run "browser" find_browser
run "lint" .venv/bin/ruff check .
run "format" .venv/bin/ruff format --check .
run "types" .venv/bin/mypy
run "workflows" .venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
run "parity of the languages" "$venv_python" -m checks.parity
run "fingerprints of the sections" "$venv_python" -m checks.fingerprints
run "integrity of the notebooks" "$venv_python" -m checks.notebooks
run "a clean build of both languages" ./build_all.sh --clean
run "internal links" "$venv_python" -m checks.links
# The notebooks run again, and every cell is compared with the output that readers see.
run "notebooks" "$venv_python" -m pytest --quiet --nbval notebooks
run "docstrings" "$venv_python" -m pytest --quiet --doctest-modules examples
# Each framework that runs on a CPU, in an environment of its own: their pins contradict each other.
for framework in areal ms_swift openrlhf skyrl verifiers verl; do
  step="the environment of $framework"
  ensure_framework "$framework"
  run "rewards in $framework" ".frameworks/$framework/bin/python" -m pytest --quiet \
    "tests/training/conformance/test_$framework.py"
done
# Two processes, so one thread for each of them.
OMP_NUM_THREADS=1 BOOK_SITE=_build/html run "tests" "$venv_python" -m pytest --quiet --numprocesses 2 --dist loadscope tests
