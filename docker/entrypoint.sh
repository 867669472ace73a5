#!/bin/sh
# Options alone are those of the AWS pipeline's container: one scene. `++process NAME` is HyP3's: one of its workflows,
# with the options that it has there. Anything else is a sarcube command, and a dask command is run as it is
# (schedulers and workers of a cluster use this image too).
set -eu
process=
while :; do
    case "${1:-}" in
        ++process)
            process=${2:?++process needs a name} && shift 2 ;;
        ++omp-num-threads)
            OMP_NUM_THREADS=${2:?++omp-num-threads needs a number} && NUMBA_NUM_THREADS=$OMP_NUM_THREADS && shift 2
            export OMP_NUM_THREADS NUMBA_NUM_THREADS ;;
        *)
            break ;;
    esac
done
case "$process" in
    "") ;;
    insar_tops_burst | insar_tops_multi_burst)
        exec sarcube insar burst "$@" ;;
    insar_tops)
        exec sarcube insar scene "$@" ;;
    merge_tops_bursts)
        exec sarcube insar merge "$@" ;;
    *)
        echo "error: no process $process; there are insar_tops_burst, insar_tops_multi_burst, insar_tops and" \
            "merge_tops_bursts" >&2
        exit 2 ;;
esac
case "${1:-}" in
    --help | --version | --verbose)
        exec sarcube "$@" ;;
    --*)
        exec sarcube scene "$@" ;;
    dask | dask-* | python | sh | bash)
        exec "$@" ;;
    *)
        exec sarcube "$@" ;;
esac
