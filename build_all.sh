#!/usr/bin/env bash
# Build the book in both languages. Needs Python 3.11 or newer and nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/environment.sh

usage() {
  cat <<'END'
Usage: ./build_all.sh [--clean] [--serve [PORT]]

Builds both languages into _build/html/{en,zh}; any warning is an error.

  --clean         build everything anew, not only what changed
  --serve [PORT]  then serve the site on this machine (default port: 8000)
  --help          show this text
END
}

clean=false
port=
while (($#)); do
  case $1 in
    --clean) clean=true ;;
    --serve)
      port=8000
      if [[ ${2-} =~ ^[0-9]+$ ]]; then
        port=$2
        shift
      fi
      ;;
    --help | -h)
      usage
      exit
      ;;
    *)
      echo "build_all.sh: unknown option: $1" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done

languages=(en zh)
export BOOK_LANGUAGES="${languages[*]}"
site=_build/html
work=_build/work # Jupyter Book's own folders; only finished pages go to the site
stamp=$site/.built
sources=(build_all.sh _config.yml _toc.yml docs examples notebooks requirements/book.txt)
# Compiled modules would make their folders look changed.
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# Sphinx has told the cause by the time Jupyter Book raises, so no traceback follows it.
jb() {
  "$venv_python" -c 'import sys; sys.tracebacklimit = 0; from jupyter_book.cli.main import main; main()' "$@"
}

ensure_environment requirements/book.txt
# Sphinx notices neither a new version of the theme nor the leftovers of a removed page.
if $clean || [[ requirements/book.txt -nt $stamp || _toc.yml -nt $stamp ]]; then
  rm -rf "$work" "$stamp"
fi

# A folder is newer than the stamp when a file in it was added or removed.
is_up_to_date() {
  [[ -f $stamp && $(<"$stamp") == "${BOOK_URL-}" ]] &&
    cmp -s docs/_static/root.html "$site/index.html" && # `jb build .` writes there too
    [[ -z $(find "${sources[@]}" -name _build -prune -o -newer "$stamp" -print -quit) ]]
}

build_site() {
  mkdir -p "$work"
  echo "${BOOK_URL-}" >"$work/stamp"
  for language in "${languages[@]}"; do
    echo "Building docs/$language"
    jb build "docs/$language" --path-output "$work/$language" --warningiserror --keep-going |
      awk '/%\]/ { print "  " $0; fflush() }' || {
      rm -rf "${work:?}/$language" # or the next run would pass: Sphinx warns of a page only once
      echo "docs/$language was not built: see the messages above." >&2
      exit 1
    }
  done
  # The site changes only when every language is built.
  rm -rf "$site"
  mkdir -p "$site"
  for language in "${languages[@]}"; do
    cp -R "$work/$language/_build/html" "$site/$language"
  done
  cp docs/_static/root.html "$site/index.html"
  touch "$site/.nojekyll" # GitHub Pages would otherwise drop _static
  mv "$work/stamp" "$stamp"
}

if is_up_to_date; then echo "Nothing has changed."; else build_site; fi

echo "The book is ready: file://$PWD/$site/index.html"
if [[ -n $port ]]; then
  echo "Open http://127.0.0.1:$port/ (stop with Ctrl+C)"
  exec "$venv_python" -m http.server "$port" --bind 127.0.0.1 --directory "$site"
fi
echo "Search needs a server: ./build_all.sh --serve"
