#!/usr/bin/env bash
# Shows that a cluster works: 15 tests, each of what really came about (the work ran, its output is
# right, the node is empty). Prints a table; leaves with 1 when one failed. Wants an idle cluster,
# for it runs work on all nodes at once. Needs bash and curl, on any machine that reaches the API.
#
#   validate.sh URL[,URL…] NODE,NODE [REGISTRY] [flags]
#
#   URL        REST address of a server, as http://10.0.0.10:8080; all of them for the restart
#   NODE,NODE  the nodes that must be there
#   REGISTRY   a registry with the image REGISTRY/alpine, for the test of containers
#   --restart COMMAND  restarts the server at %h; unless set: ssh %h sudo systemctl restart lattice-server
#   --user NAME        account on the nodes that the work runs as (this user's name)
#   --image IMAGE      instead of REGISTRY/alpine
#   --open             the servers are open: they ask for no token
#   --wait SECONDS     longest wait for one thing (60)
#
# LATTICE_TOKEN is an administrator's token; without it one is made with LATTICE_HMAC_SECRET.
# LATTICE_CACERT names the authorities of the servers, LATTICE_CERT and LATTICE_KEY a certificate.
set -uo pipefail

die() { echo "validate: $1" >&2; exit "${2:-1}"; }
usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "${BASH_SOURCE[0]}"; }

positional=() restart='ssh %h sudo systemctl restart lattice-server' user=$(id -un) image="" open="" limit=60
while [ $# -gt 0 ]; do
  case $1 in
    --restart) restart=${2:-}; shift ;;
    --user) user=${2:-}; shift ;;
    --image) image=${2:-}; shift ;;
    --wait) limit=${2:-}; shift ;;
    --open) open=1 ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown flag $1: see --help" 2 ;;
    *) positional+=("$1") ;;
  esac
  shift
done
[ ${#positional[@]} -ge 2 ] || die "it needs URL and NODE,NODE: see --help" 2
IFS=, read -ra urls <<< "${positional[0]}"
IFS=, read -ra nodes <<< "${positional[1]}"
[ -n "$image" ] || image=${positional[2]:+${positional[2]}/alpine}
first=${nodes[0]}
tenant=validate

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
token=${LATTICE_TOKEN:-}
if [ -z "$token$open" ]; then
  token=$("$here/mint-token.sh" validate admin 3600 "$user") || die "set LATTICE_TOKEN or LATTICE_HMAC_SECRET, or say --open"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl_flags=(--silent --show-error --max-time 20)
[ -z "${LATTICE_CACERT:-}" ] || curl_flags+=(--cacert "$LATTICE_CACERT")
[ -z "${LATTICE_CERT:-}" ] || curl_flags+=(--cert "$LATTICE_CERT" --key "${LATTICE_KEY:-}")
# The token stands in a file: everybody can read a command line.
printf 'header = "x-lattice-user: %s"\n' "$user" > "$work/auth"
[ -z "$token" ] || printf 'header = "authorization: Bearer %s"\n' "$token" > "$work/auth"
: > "$work/nobody"

# ask AUTH METHOD PATH [BODY]: asks each server until one answers. Sets status and body.
ask() {
  local url data=()
  [ -z "${4:-}" ] || data=(--header 'content-type: application/json' --data "$4")
  for url in "${urls[@]}"; do
    status=$(curl "${curl_flags[@]}" --config "$work/$1" --request "$2" --output "$work/body" --write-out '%{http_code}' "${data[@]}" "$url$3" 2> "$work/error") || status=0
    if [ "$status" = 0 ]; then body=$(cat "$work/error"); else body=$(cat "$work/body"); fi
    [ "$status" = 0 ] || [ "$status" = 503 ] || return 0
  done
}
# want STATUS: what was answered must have it.
want() { [ "$status" = "$1" ] || { why="answered $status instead of $1: $body"; return 1; }; }
# field NAME: the first value of a text or a number of that name in the body.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$work/body" | head -1; }
# poll WHAT COMMAND…: until it holds.
poll() {
  local what=$1 end=$((SECONDS + limit))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { why="not within $limit s: $what; last answer: ${body:0:300}"; return 1; }
    sleep 0.2
  done
}

# submit NODES COMMAND [MORE]: sets job. The command is JSON text already.
submit() {
  ask auth POST /api/v1/allocations "{\"tenant\":\"$tenant\",\"nodes\":$1,\"walltime_seconds\":300,\"entrypoint\":\"$2\"${3:-}}"
  want 201 && job=$(sed -n 's/.*"short_id":\([0-9]*\).*/\1/p' "$work/body" | head -1) && [ -n "$job" ]
}
job_is() { ask auth GET "/api/v1/allocations/$job"; [ "$status" = 200 ] && case " $1 " in *" $(field state) "*) ;; *) return 1 ;; esac; }
ended() { job_is "completed failed cancelled"; }
node_is() { ask auth GET "/api/v1/nodes/$1"; [ "$status" = 200 ] && [ "$(field state)" = "$2" ]; }
# output is TEXT: of the job, all of it. The nodes' order is not theirs to choose, so lines are sorted.
output_is() {
  ask auth GET "/api/v1/allocations/$job/logs?format=raw"
  want 200 || return 1
  [ "$(printf '%s\n' "$body" | sort)" = "$(printf '%s\n' "$1" | sort)" ] || { why="its output is '$body' instead of '$1'"; return 1; }
}
done_with() {
  poll "job $job ends" ended || return 1
  [ "$(field state)" = "$1" ] && [ "$(field exit_code)" = "$2" ] && return 0
  why="job $job is $(field state) with exit code $(field exit_code): $(field message)"
  return 1
}

is_healthy() { ask nobody GET /healthz; want 200; }
all_ready() { local node; for node in "${nodes[@]}"; do poll "node $node is ready" node_is "$node" ready || return 1; done; }
discovers() { ask nobody GET /api/v1/auth/discovery; want 200 && [[ $body == *'"idp_url"'*'"client_id"'*'"issuer"'* ]]; }
refuses_nobody() {
  ask nobody GET /api/v1/nodes
  if [ -n "$open" ]; then want 200; else want 401; fi
}
lets_in() { ask auth GET /api/v1/nodes; want 200 && [[ $body == *"\"$first\""* ]]; }
public_stays_public() { local path; for path in /healthz /readyz /metrics; do ask nobody GET $path; want 200 || return 1; done; }
runs() { submit 1 '/bin/echo hello' && done_with completed 0 && output_is hello; }
runs_on_all() {
  local count=${#nodes[@]} expected
  # shellcheck disable=SC2016 # It is the node that says its name.
  submit "$count" 'echo $LATTICE_NODE_ID' ',"run_on":"every"' && done_with completed 0 || return 1
  expected=$(printf '%s\n' "${nodes[@]}")
  output_is "$expected"
}
runs_container() {
  submit 1 'cat /etc/alpine-release' ",\"image\":\"$image\"" && done_with completed 0
}
refuses_nonsense() { ask auth POST /api/v1/allocations '{"entrypoint":"/bin/true"}'; want 422; }
# Work on every node while the first is drained: it must go on, and the node wait for it.
drains_behind_work() {
  submit "${#nodes[@]}" 'sleep 4; echo through' ',"run_on":"every"' && poll "job $job runs" job_is running || return 1
  ask auth POST "/api/v1/nodes/$first/drain" '{"reason":"validate.sh"}'
  want 200 || return 1
  node_is "$first" draining || { why="with work on it, $first is $(field state)"; return 1; }
  done_with completed 0
}
is_drained() { poll "node $first is drained" node_is "$first" drained; }
undrains() { ask auth POST "/api/v1/nodes/$first/undrain" '{}'; want 200 && poll "node $first is ready" node_is "$first" ready; }
runs_again_on_all() { runs_on_all; }
serves() { ask auth GET /api/v1/raft/status; [ "$status" = 200 ] && [[ $body == *'"available":true'* ]]; }
survives_restart() {
  local url host command
  submit 1 'sleep 3; echo survived' && poll "job $job runs" job_is running || return 1
  for url in "${urls[@]}"; do
    host=${url#*://}
    host=${host%:*}
    command=${restart//%h/$host}
    bash -c "$command" > "$work/restart" 2>&1 || { why="'$command' failed: $(tail -1 "$work/restart")"; return 1; }
    poll "a server serves after the restart of $host" serves || return 1
    poll "$url is ready" curl "${curl_flags[@]}" --fail --output /dev/null "$url/readyz" 2> /dev/null || return 1
  done
  done_with completed 0 && output_is survived
}

passed=0 failed=0 skipped=0 number=0
row() { printf '%2d  %-10s  %-52s  %s\n' "$number" "$1" "$2" "$3"; }
check() {
  local group=$1 title=$2
  shift 2
  number=$((number + 1)) why="" body=""
  if "$@"; then
    passed=$((passed + 1))
    row "$group" "$title" PASS
  else
    failed=$((failed + 1))
    row "$group" "$title" FAIL
    printf '    %s\n' "${why:-last answer: ${body:0:300}}"
  fi
}
skip() {
  number=$((number + 1)) skipped=$((skipped + 1))
  row "$1" "$2" "SKIP: $3"
}

ask auth POST /api/v1/tenants "{\"name\":\"$tenant\"}"
case $status in
  201 | 409) ;;
  *) echo "validate: the tenant $tenant cannot be made ($status): $body" >&2 ;;
esac

check health "the API answers" is_healthy
check health "all nodes are ready" all_ready
check auth "discovery names the provider, or none" discovers
if [ -n "$open" ]; then check auth "an open server asks for no token" refuses_nobody
else check auth "without a token: 401" refuses_nobody; fi
check auth "with a token: the nodes" lets_in
check auth "health and metrics need no token" public_stays_public
check submit "work runs, and its output is right" runs
check submit "work on all nodes runs on each" runs_on_all
if [ -n "$image" ]; then check submit "a container of $image runs" runs_container
else skip submit "a container runs" "no registry was given"; fi
check validation "a request without a tenant: 422" refuses_nonsense
check drain "a node with work drains, the work goes on" drains_behind_work
check drain "it is drained when the work has ended" is_drained
check drain "undrain puts it back" undrains
check drain "it takes work again" runs_again_on_all
check restart "work and API survive a restart of the servers" survives_restart

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
