#!/bin/sh
# Tries the tarballs of one machine as somebody would who has just downloaded them: checks the sums, starts a server and an
# agent, runs a job and reads its output. Usage: smoke.sh FOLDER x86_64|arm64
set -eu
folder=$(cd "$1" && pwd)
machine=$2
(cd "$folder" && sha256sum --check --ignore-missing --quiet SHA256SUMS)
work=$(mktemp -d)
cleanup() {
  kill $server $agent 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
server='' agent=''
trap cleanup EXIT
cd "$work"
for name in lattice-server lattice-agent lattice rm-replay; do
  tar xzf "$folder/$name-$machine.tar.gz"
  "./$name" --version
done
./lattice-server --data-dir "$work/server" --bootstrap 2> server.log &
server=$!
./lattice-agent --node-id smoke --state-dir "$work/agent" --default-user "$(id -un)" --allow-root 2> agent.log &
agent=$!
tries=0
until ./lattice nodes 2>/dev/null | grep -qi ready; do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ]; then
    cat server.log agent.log
    echo "no node was ready within a minute" >&2
    exit 1
  fi
  sleep 1
done
cat > hello.sh <<'EOF'
#!/bin/sh
echo "hello from $(uname -m)"
EOF
number=$(./lattice submit -q hello.sh)
./lattice logs --follow "$number" | grep "hello from"
echo "the release for $machine works"
