# shellcheck shell=bash
# Sourced by build_all.sh and test_all.sh, from the repository's root: the environment they run in.

# Nothing of the caller's own Python may leak in.
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PYTHONUTF8=1

venv_python=.venv/bin/python

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in python3.11 python3 python; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer is needed and was not found on the PATH." >&2
  return 1
}

pins() {
  sed -n 's/^\([A-Za-z0-9][^ ;\\]*==[^ ;\\]*\).*/\1/p' "$@" | sort -u
}

# ensure_environment LOCK...: make .venv hold what the locks pin. What was installed last is on
# record, so a lock whose every pin is among that (a smaller lock after a larger one) costs nothing.
ensure_environment() {
  local record=.venv/installed.txt lock python
  if ! is_new_enough "$venv_python"; then
    python=$(find_python)
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
  fi
  if [[ -z $(comm -23 <(pins "$@") "$record" 2>/dev/null || echo unknown) ]]; then
    return
  fi
  rm -f "$record"
  for lock in "$@"; do
    echo "Installing $lock"
    # The locks name every package that is needed: pip adds none of its own choice.
    "$venv_python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
      --no-deps --requirement "$lock" | show_progress
  done
  pins "$@" >"$record"
}

# A line for every tenth package rather than pip's several for each.
show_progress() {
  awk '
    /^(Collecting|Requirement already satisfied)/ && ++n % 10 == 0 { print "  " n " packages"; fflush() }
    /^Installing/ { print "  unpacking"; fflush() }'
}

# ensure_framework NAME: make .frameworks/NAME hold what requirements/frameworks/NAME.txt pins, laid over
# .venv. A framework's own pins win there; whatever it does not pin comes from .venv.
ensure_framework() {
  local home=.frameworks/$1 lock=requirements/frameworks/$1.txt
  if cmp -s "$lock" "$home/installed.txt" && "$home/bin/python" -c 'import pytest' 2>/dev/null; then
    return
  fi
  echo "Installing $lock"
  "$venv_python" -m venv --clear --without-pip "$home"
  "$venv_python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
    >"$("$home/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/book.pth"
  "$venv_python" -m pip --python "$home/bin/python" install --disable-pip-version-check --no-input \
    --progress-bar off --no-deps --requirement "$lock" | show_progress
  cp "$lock" "$home/installed.txt"
}
