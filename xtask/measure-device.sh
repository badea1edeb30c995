#!/usr/bin/env bash
# Measures a device in under ten minutes. The machine needs only the program, ONNX Runtime and the device:
#
#   xtask/measure-device.sh AEVA MODEL.onnx IMAGES OUT [DEVICE]      (DEVICE as for `aeva scan`, cuda if not given)
#
# 1. agreement with the CPU (f32) on the labels of the images and on probes at the decision boundary;
# 2. raw throughput over batch sizes, and the share of it that a scan reaches;
# 3. a scan at the published parameters, as far as it gets in the time. Run the same command again to continue it.
#
# OUT gets bench.json, scan.json, versions.txt and the run folder. Environment variables:
#   AEVA_SCAN_OPTIONS   options of the scan; the default is `--lens perturbation --preset published`
#   AEVA_BENCH_OPTIONS  additional options of the bench
#   AEVA_SCAN_SECONDS   time for the scan; the default is 500
set -euo pipefail

if [ $# -lt 4 ]; then
    sed -n '2,14p' "$0" >&2
    exit 2
fi
aeva=$1 model=$2 images=$3 out=$4 device=${5:-cuda}
read -ra scan_options <<<"${AEVA_SCAN_OPTIONS:---lens perturbation --preset published}"
read -ra bench_options <<<"${AEVA_BENCH_OPTIONS:-}"
mkdir -p "$out"

{
    "$aeva" --version
    uname -srm
    nproc
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no NVIDIA device"
} | tee "$out/versions.txt"

echo "== agreement and throughput"
"$aeva" --quiet bench "$model" --data "$images" --device "$device" --json ${bench_options[@]+"${bench_options[@]}"} >"$out/bench.json"
grep -E '"(raw_images_per_second|scan_queries_per_second|scan_to_raw_ratio|share|probes|images|images_alike)"' "$out/bench.json" | tail -n 12

echo "== scan: ${scan_options[*]}"
begin=$(date +%s)
code=0
timeout --signal=INT "${AEVA_SCAN_SECONDS:-500}" \
    "$aeva" scan "$model" --data "$images" --device "$device" --out "$out/run" --json "${scan_options[@]}" >"$out/scan.json" || code=$?
# 0 and 1 are verdicts, 3 is inconclusive. 130 and 124 (of timeout) mean that the time was up; finished pairs are kept.
case $code in
0 | 1 | 3) echo "finished with exit code $code after $(($(date +%s) - begin)) s" ;;
124 | 130) echo "the time was up after $(($(date +%s) - begin)) s; the same command continues" ;;
*) exit "$code" ;;
esac
# Two spaces: the fields of the report itself, not those of its parts.
grep -E '^  "(verdict|queries|seconds|clean_accuracy)":' "$out/scan.json"
