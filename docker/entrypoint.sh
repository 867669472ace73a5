#!/bin/sh
# Options alone are those of the AWS pipeline's container: one scene. Anything else is a sarcube command,
# and a dask command is run as it is (schedulers and workers of a cluster use this image too).
set -eu
case "${1:-}" in
    --scene | --scene=* | --burst* | --resolution* | --output* | --dem* | --product* | --s3* | --collection* | --link*)
        exec sarcube scene "$@" ;;
    dask | dask-* | python | sh | bash)
        exec "$@" ;;
    *)
        exec sarcube "$@" ;;
esac
