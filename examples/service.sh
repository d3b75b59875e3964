#!/bin/sh
#LATTICE name=web lifecycle=unbounded requeue=always
#LATTICE cpus=1 memory=512M priority=8

# A service: it runs until it is cancelled and is started again when its node is lost.
exec python3 -m http.server "${PORT:-8000}"
