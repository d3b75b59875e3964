#!/usr/bin/env bash
# Installs the agent of one compute node from an unpacked bundle, on any machine with systemd. Running
# it again changes nothing; from a later bundle it upgrades, and work goes on through that.
#
#   install-compute.sh NODE_ID QUORUM_ENDPOINT [--no-start] [--FLAG=VALUE…]
#
#   NODE_ID          name of this node, as nid001234
#   QUORUM_ENDPOINT  the servers: http://lattice-01:50051,http://lattice-02:50051,…
#   --FLAG=VALUE     any flag of lattice-agent, as --gpu-count=4 or --bootstrap-cert=FILE
#
# With LATTICE_HMAC_SECRET, the secret of a development cluster, the agent gets a token for a year;
# LATTICE_AGENT_TOKEN gives it another. Neither is needed where it has a certificate.
set -euo pipefail
PROGRAM=install-compute
. "$(dirname "${BASH_SOURCE[0]}")/install-common.sh"
ETC=/etc/lattice
TOKEN_SECONDS=31536000

usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "${BASH_SOURCE[0]}"; }

positional=() start=1 flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-start) start="" ;;
    -h | --help) usage; exit 0 ;;
    --*=*) flags+=("$1") ;;
    -*) die "unknown flag $1: flags of lattice-agent are given as --FLAG=VALUE" 2 ;;
    *) positional+=("$1") ;;
  esac
  shift
done
[ ${#positional[@]} -eq 2 ] || die "it needs NODE_ID and QUORUM_ENDPOINT: see --help" 2
node=${positional[0]}
endpoint=${positional[1]}
case $endpoint in http://* | https://*) ;; *) die "QUORUM_ENDPOINT is a list of URLs, as http://lattice-01:50051" 2 ;; esac
need_root

put_binaries lattice-agent lattice
known=$(lattice-agent --help)
mkdir -p $ETC /etc/systemd/system

# A token that was made before stays: a fresh one each time would be a change, and a restart.
token=${LATTICE_AGENT_TOKEN:-}
if [ -z "$token" ] && [ "$(setting $ETC/agent.env LATTICE_NODE_ID)" = "$node" ]; then
  token=$(setting $ETC/agent.env LATTICE_AGENT_TOKEN)
fi
if [ -z "$token" ] && [ -n "${LATTICE_HMAC_SECRET:-}" ]; then
  token=$("$BUNDLE/scripts/mint-token.sh" "agent-$node" operator $TOKEN_SECONDS)
fi

lines=("LATTICE_NODE_ID=$node" "LATTICE_QUORUM_ENDPOINT=$endpoint")
for flag in "${flags[@]}"; do
  name=${flag%%=*}
  # The name in full: one that is only begun is another flag, or none.
  grep -q -e " $name " <<< "$known" || die "lattice-agent has no flag $name" 2
  name=${name#--}
  name=${name//-/_}
  lines+=("LATTICE_${name^^}=${flag#*=}")
done
if [ -n "$token" ]; then lines+=("LATTICE_AGENT_TOKEN=$token"); fi
put_generated $ETC/agent.env 0600 < <(printf '%s\n' "${lines[@]}")

put "$BUNDLE/systemd/lattice-agent.service" /etc/systemd/system/lattice-agent.service 0644

[ -n "$start" ] || { say "installed, not started"; exit 0; }
start_unit lattice-agent
