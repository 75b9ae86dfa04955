#!/bin/sh
# The `troth` command of a checkout: runs cli.main with the environment that lies beside it.
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
PYTHONPATH=$(CDPATH= cd -- "$here/../.." && pwd)${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec "$here/python" -m cli.main "$@"
