#!/usr/bin/env bash
# The installed MMAction2's dist_test.sh: CONFIG CHECKPOINT PROCESSES [further arguments].
set -euo pipefail
script=$(python -c "from lcr_mmaction.upstream.doors import stock_script
print(stock_script('dist_test.sh'))")
exec bash "$script" "$@"
