#!/bin/sh
# Options alone are those of the AWS pipeline's container: one scene. Anything else is a sarcube command,
# and a dask command is run as it is (schedulers and workers of a cluster use this image too).
set -eu
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
