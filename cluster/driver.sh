#!/usr/bin/env bash
# A driver on the login node, which queues its workers and goes on when you log out:
#   cluster/driver.sh slide.tif --pixel-size 0.1 --partition short
# Whatever axonflow run takes may follow. The same line again continues what was ended.
set -euo pipefail

log=axonflow-driver-$(date +%Y%m%d-%H%M%S).log
nohup axonflow run --cluster slurm "$@" >"$log" 2>&1 </dev/null &
echo "process $!, log $log; end it with: kill -INT $!"
