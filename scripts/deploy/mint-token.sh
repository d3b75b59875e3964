#!/usr/bin/env bash
# Prints an HS256 token, for clusters that check tokens with a shared secret (development, tests,
# emergencies: docs/operations/login.md).
#
#   LATTICE_HMAC_SECRET=… mint-token.sh SUBJECT SCOPE SECONDS [USER]
#
# USER is the account that work runs as; SUBJECT when absent. Nothing but bash and coreutils
# is needed; the secret never stands on a command line, where others could read it.
set -euo pipefail

die() { echo "mint-token: $1" >&2; exit "${2:-1}"; }
[ $# -ge 3 ] || die "usage: LATTICE_HMAC_SECRET=… mint-token.sh SUBJECT SCOPE SECONDS [USER]" 2
[ -n "${LATTICE_HMAC_SECRET:-}" ] || die "LATTICE_HMAC_SECRET is not set: it is the secret that the servers have"
case "$1$2${4:-}" in *[!A-Za-z0-9._@:\ -]*) die "subject, scope and user are letters, digits and . _ @ : -" 2 ;; esac

hex() { od -An -v -tx1 | tr -d ' \n'; }
# bytes HEX: the bytes themselves.
bytes() { printf '%b' "$(printf '%s' "$1" | sed 's/../\\x&/g')"; }
base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
sha256() { sha256sum | cut -d' ' -f1; }

# RFC 2104 with SHA-256: the key is padded to 64 bytes, longer ones are hashed first.
key=$(printf '%s' "$LATTICE_HMAC_SECRET" | hex)
if [ ${#key} -gt 128 ]; then key=$(printf '%s' "$LATTICE_HMAC_SECRET" | sha256); fi
while [ ${#key} -lt 128 ]; do key+=00; done
# padded BYTE: the key with every byte xored.
padded() { local i; for ((i = 0; i < 128; i += 2)); do printf '%02x' $((16#${key:i:2} ^ $1)); done; }
hmac() { { bytes "$(padded 0x5c)"; bytes "$({ bytes "$(padded 0x36)"; cat; } | sha256)"; } | sha256; }

now=$(date +%s)
header='{"alg":"HS256","typ":"JWT"}'
payload=$(printf '{"sub":"%s","scope":"%s","preferred_username":"%s","iat":%d,"exp":%d}' \
  "$1" "$2" "${4:-$1}" "$now" "$((now + $3))")
signed="$(printf '%s' "$header" | base64url).$(printf '%s' "$payload" | base64url)"
echo "$signed.$(bytes "$(printf '%s' "$signed" | hmac)" | base64url)"
