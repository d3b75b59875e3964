#!/usr/bin/env bash
# Packs what install-quorum.sh and install-compute.sh need into one file for all machines:
# binaries, these scripts, units and configuration.
#
#   make-provision-bundle.sh FOLDER OUT.tar.gz
#
# FOLDER holds the binaries (bun run build makes dist), or the tarballs of a release
# (bun run release makes dist/release), of which LATTICE_ARCH (this machine's) are taken.
# Unpack the bundle anywhere, as in /opt/lattice, and run its scripts there.
set -euo pipefail

die() { echo "make-provision-bundle: $1" >&2; exit "${2:-1}"; }

[ $# -eq 2 ] || die "usage: make-provision-bundle.sh FOLDER OUT.tar.gz" 2
from=$1
out=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
arch=${LATTICE_ARCH:-$(uname -m | sed 's/aarch64/arm64/')}
[ -d "$from" ] || die "there is no folder $from: make one with 'bun run build' or 'bun run release'"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Everyone may read what is unpacked, whatever this shell's mask is.
umask 022
mkdir -p "$work/bin" "$work/scripts" "$work/systemd" "$work/config"

for name in lattice-server lattice-agent lattice; do
  if [ -f "$from/$name" ]; then
    install -m 0755 "$from/$name" "$work/bin/$name"
  elif [ -f "$from/$name-$arch.tar.gz" ]; then
    tar xzf "$from/$name-$arch.tar.gz" -C "$work/bin" --no-same-owner "$name"
  else
    die "$from has neither $name nor $name-$arch.tar.gz"
  fi
done
install -m 0755 "$here"/*.sh "$work/scripts/"
install -m 0644 "$root"/infra/systemd/lattice* "$work/systemd/"
install -m 0644 "$root/config/minimal.yaml" "$root/config/production.yaml" "$work/config/"
install -m 0644 "$root/LICENSE" "$work/LICENSE"

# Written beside its name first: whoever copies it meanwhile gets all of it or nothing.
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -czf "$out.part" bin scripts systemd config LICENSE
mv "$out.part" "$out"
echo "$out: $(du -h "$out" | cut -f1), for $arch"
