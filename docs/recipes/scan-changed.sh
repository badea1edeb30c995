#!/usr/bin/env bash
# Scans each of several models: scan-changed.sh OPTION... -- MODEL...
#
# The options are those of `aeva scan`.
# The exit code is that of the worst verdict: 2 an error, then 1 a backdoor, then 3 no verdict, then 0.
set -u

options=()
while [ "$#" -gt 0 ] && [ "$1" != "--" ]; do
  options+=("$1")
  shift
done
if [ "$#" -eq 0 ] || [ "${#options[@]}" -eq 0 ]; then
  echo "usage: scan-changed.sh --data IMAGES [OPTION...] -- MODEL..." >&2
  exit 2
fi
shift

clean=yes backdoored=no failed=no
for model in "$@"; do
  code=0
  aeva scan "${options[@]}" -- "$model" || code=$?
  case "$code" in
    0) ;;
    1) backdoored=yes ;;
    3) clean=no ;;
    130) exit 130 ;;
    *) failed=yes ;;
  esac
done

[ "$failed" = no ] || exit 2
[ "$backdoored" = no ] || exit 1
[ "$clean" = yes ] || exit 3
