#!/usr/bin/env bash
# Installs one server of a quorum from an unpacked bundle, on any machine with systemd. Running it
# again changes nothing; from a later bundle it upgrades.
#
#   install-quorum.sh NODE_ID LISTEN_ADDR PEERS [--bootstrap] [--tls FOLDER] [--no-start]
#
#   NODE_ID      number of this server: 1, 2, 3
#   LISTEN_ADDR  where it listens: an address of this machine, or 0.0.0.0
#   PEERS        every server: "1=lattice-01:9000,2=lattice-02:9000,3=lattice-03:9000"
#   --bootstrap  begin the cluster: on one server, at the first time only
#   --tls FOLDER it holds server.crt, server.key and ca.crt, and everyone must show a certificate
#   --no-start   install only
#
# How people prove who they are comes from the environment: LATTICE_OIDC_ISSUER and
# LATTICE_OIDC_CLIENT_ID name an identity provider, LATTICE_HMAC_SECRET is a shared secret for
# development. What was said once is kept. LATTICE_OPEN=1 lets everybody in.
set -euo pipefail
PROGRAM=install-quorum
. "$(dirname "${BASH_SOURCE[0]}")/install-common.sh"
ETC=/etc/lattice
DATA=/var/lib/lattice/raft

usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "${BASH_SOURCE[0]}"; }

positional=() bootstrap="" start=1 tls=""
while [ $# -gt 0 ]; do
  case $1 in
    --bootstrap) bootstrap=1 ;;
    --no-start) start="" ;;
    --tls) tls=${2:-}; [ -n "$tls" ] || die "--tls needs a folder" 2; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown flag $1: see --help" 2 ;;
    *) positional+=("$1") ;;
  esac
  shift
done
[ ${#positional[@]} -eq 3 ] || die "it needs NODE_ID, LISTEN_ADDR and PEERS: see --help" 2
id=${positional[0]}
listen=${positional[1]%:9000}
case $id in '' | *[!0-9]* | 0*) die "NODE_ID is a number from 1, not '$id'" 2 ;; esac
need_root

# --- who the others are
peers="" own=""
IFS=, read -ra members <<< "${positional[2]}"
for member in "${members[@]}"; do
  case $member in
    [1-9]*=?*:[0-9]*) ;;
    *) die "PEERS is a list of NUMBER=HOST:PORT, and has '$member'" 2 ;;
  esac
  peers+="    - { id: ${member%%=*}, address: \"${member#*=}\" }"$'\n'
  if [ "${member%%=*}" = "$id" ]; then own=${member#*=}; fi
done
[ -n "$own" ] || die "PEERS does not name this server, $id" 2
[ ${#members[@]} -gt 1 ] || peers=""

# --- how people prove who they are: what was said before holds until something else is said
configured() { if [ -f $ETC/config.yaml ]; then sed -n "s/^  $1: \"\(.*\)\"/\1/p" $ETC/config.yaml; fi; }
secret=${LATTICE_HMAC_SECRET:-$(setting $ETC/server.env LATTICE_OIDC_HMAC_SECRET)}
issuer=${LATTICE_OIDC_ISSUER:-$(configured oidc_issuer)}
client=${LATTICE_OIDC_CLIENT_ID:-$(configured oidc_client_id)}
[ -n "$tls" ] || tls=$(configured tls_cert | sed 's|/server.crt$||')
if [ -z "$secret$issuer" ] && [ -z "${LATTICE_OPEN:-}" ] && [ -z "$tls" ]; then
  die "say how people prove who they are: LATTICE_OIDC_ISSUER, or LATTICE_HMAC_SECRET for development (openssl rand -base64 32), or LATTICE_OPEN=1"
fi

put_binaries lattice-server lattice
mkdir -p $ETC
if ! getent passwd lattice > /dev/null; then
  if command -v systemd-sysusers > /dev/null; then
    systemd-sysusers "$BUNDLE/systemd/lattice.conf"
  else
    useradd --system --home-dir /var/lib/lattice --shell /usr/sbin/nologin lattice
  fi
fi

config() {
  echo "quorum:"
  echo "  node_id: $id"
  echo "  data_dir: $DATA"
  echo "  raft_listen_address: \"$listen:${own##*:}\""
  echo "  advertise_address: \"$own\""
  if [ -n "$peers" ]; then printf '  peers:\n%s' "$peers"; fi
  echo "api:"
  echo "  grpc_address: \"$listen:50051\""
  echo "  rest_address: \"$listen:8080\""
  echo "  advertise_address: \"${own%:*}:50051\""
  if [ -n "$issuer" ]; then
    echo "  oidc_issuer: \"$issuer\""
    echo "  oidc_client_id: \"${client:-lattice}\""
  fi
  if [ -n "$tls" ]; then
    echo "  tls_cert: \"$tls/server.crt\""
    echo "  tls_key: \"$tls/server.key\""
    echo "  tls_ca: \"$tls/ca.crt\""
  fi
  echo "storage: {}"
  echo "telemetry: {}"
}
environment() {
  echo "# Secrets of lattice-server: any LATTICE_<SECTION>_<KEY> may stand here."
  if [ -f $ETC/server.env ]; then grep -v -e '^# Secrets of lattice-server' -e '^LATTICE_OIDC_HMAC_SECRET=' $ETC/server.env || true; fi
  if [ -n "$secret" ]; then echo "LATTICE_OIDC_HMAC_SECRET=$secret"; fi
}
# Not through a pipe: what was written must be known here.
put_generated $ETC/config.yaml 0644 < <(config)
put_text $ETC/server.env 0600 < <(environment)

# What the server itself says of it is better than a unit that does not start.
(
  while IFS='=' read -r name value; do case $name in [A-Z]*) export "$name=$value" ;; esac; done < $ETC/server.env
  lattice-server config check --config $ETC/config.yaml > /dev/null
) || die "the configuration is wrong: lattice-server config check --config $ETC/config.yaml"

mkdir -p /etc/systemd/system
put "$BUNDLE/systemd/lattice-server.service" /etc/systemd/system/lattice-server.service 0644

[ -n "$start" ] || { say "installed, not started"; exit 0; }
# The first start of all says so to the unit, in a drop-in that is gone at the next one.
drop_in=/run/systemd/system/lattice-server.service.d/bootstrap.conf
if [ -n "$bootstrap" ] && [ -e $DATA/log.db ]; then
  say "there is a log in $DATA: --bootstrap has nothing to begin"
elif [ -n "$bootstrap" ] && has_systemd; then
  mkdir -p "$(dirname $drop_in)"
  printf '[Service]\nEnvironment=LATTICE_QUORUM_BOOTSTRAP=true\n' > $drop_in
  trap 'rm -f $drop_in; systemctl daemon-reload' EXIT
fi
start_unit lattice-server
