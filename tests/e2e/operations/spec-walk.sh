#!/usr/bin/env bash
# Follows the specification's commands on five bare machines, from tarballs to an upgrade: install,
# bootstrap, join, agents, tenant, work, drain, undrain, backup, verify, restore, upgrade. Prints
# every command as it runs; ends at the first that fails.
#
#   spec-walk.sh ENTRANCE RELEASE UPGRADE VERSION
#
#   ENTRANCE          runs a command in a machine: ENTRANCE MACHINE COMMAND…
#   RELEASE, UPGRADE  URLs of folders of tarballs: what is installed, what it is upgraded to
#   VERSION           what the binaries of UPGRADE say that they are
set -euo pipefail
IN=$1 RELEASE=$2 UPGRADE=$3 VERSION=$4
SECRET=a-secret-for-tests-only-0123456789
SERVERS="lattice-01 lattice-02 lattice-03"
NODES="nid001234 nid001235"
mint=$(dirname "${BASH_SOURCE[0]}")/../../../scripts/deploy/mint-token.sh
ADMIN=$(LATTICE_HMAC_SECRET=$SECRET "$mint" alice admin 3600)

# What every machine knows besides its commands; patience is not printed step by step.
PRELUDE="
ADMIN=$ADMIN SECRET=$SECRET RELEASE=$RELEASE UPGRADE=$UPGRADE
export LATTICE_TOKEN=\$ADMIN LATTICE_SERVER=http://lattice-01:8080,http://lattice-02:8080,http://lattice-03:8080
sudo() { \"\$@\"; }
curl() { case \$1 in -sSfL) command curl \"\$@\"; return ;; esac
  command curl --silent --show-error --fail-with-body --write-out '\n' --header \"authorization: Bearer \$ADMIN\" \"\$@\"; }
eventually() {
  { set +x; } 2> /dev/null
  local end=\$((SECONDS + 60))
  until (\"\$@\") > /tmp/eventually 2>&1; do
    if [ \$SECONDS -ge \$end ]; then echo \"not within 60 s: \$*: \$(cat /tmp/eventually)\"; return 1; fi
    sleep 0.1
  done
  set -x
}
PS4='+ '
set -x
"
# on MACHINE: runs the commands of standard input there.
on() {
  echo "--- $1"
  "$IN" "$1" bash -eu -o pipefail -c "$PRELUDE$(cat)" < /dev/null 2>&1 | grep -v -e '^+ case .* in$' -e '^+ return$' | sed "s/$ADMIN/…/g"
}
step() { printf '\n=== %s\n' "$1"; }

step "the machines are bare"
for machine in $SERVERS $NODES; do
  on "$machine" << 'END'
! command -v node bun
END
done

step "install the servers"
for machine in $SERVERS; do
  { echo "NUMBER=${machine#lattice-0}"; cat; } << 'END' | on "$machine"
mkdir -p /root/install && cd /root/install
ARCH=$(uname -m | sed 's/aarch64/arm64/')
curl -sSfL "$RELEASE/lattice-server-${ARCH}.tar.gz" | tar xz
sudo mv lattice-server /usr/local/bin/
command -v systemd-sysusers > /dev/null && sudo systemd-sysusers "$PWD/infra/systemd/lattice.conf" || useradd --system lattice
sudo mkdir -p /etc/lattice /etc/systemd/system
sudo cp infra/systemd/lattice-server.service /etc/systemd/system/
sudo cp config/production.yaml /etc/lattice/config.yaml
sudo install -m 0600 infra/systemd/lattice-server.env /etc/lattice/server.env
echo "LATTICE_OIDC_HMAC_SECRET=$SECRET" >> /etc/lattice/server.env
sed -i "s/^  node_id: .*/  node_id: $NUMBER/" /etc/lattice/config.yaml
sed -i 's/^  peers: \[\]$/  peers: [{ id: 1, address: "lattice-01:9000" }, { id: 2, address: "lattice-02:9000" }, { id: 3, address: "lattice-03:9000" }]/;t;' /etc/lattice/config.yaml
# The federation has peers too: only the quorum's are these.
sed -i '/^federation:/,$s/^  peers: .*/  peers: []/' /etc/lattice/config.yaml
lattice-server config check --config /etc/lattice/config.yaml > /tmp/check || { cat /tmp/check; exit 1; }
END
done
on lattice-01 << 'END'
cd /root/install
ARCH=$(uname -m | sed 's/aarch64/arm64/')
curl -sSfL "$RELEASE/lattice-${ARCH}.tar.gz" | tar xz
sudo mv lattice /usr/local/bin/
END

step "bootstrap node 1, once, by hand; then by systemd"
on lattice-01 << 'END'
export LATTICE_OIDC_HMAC_SECRET=$SECRET
lattice-server --config /etc/lattice/config.yaml --bootstrap > /tmp/bootstrap.log 2>&1 & first=$!
eventually curl http://lattice-01:8080/healthz
kill -TERM $first && wait $first
sudo systemctl enable --now lattice-server
END

step "nodes 2 and 3 join"
for machine in lattice-02 lattice-03; do
  on "$machine" << 'END'
sudo systemctl enable --now lattice-server
END
done
on lattice-01 << 'END'
for server in lattice-01 lattice-02 lattice-03; do eventually curl http://$server:8080/readyz; done
curl http://lattice-01:8080/api/v1/raft/status
lattice admin raft status
END

step "install and start the agents"
for machine in $NODES; do
  { echo "AGENT_TOKEN=$(LATTICE_HMAC_SECRET=$SECRET "$mint" "agent-$machine" operator 3600)"; cat; } << 'END' | on "$machine"
useradd --create-home alice
mkdir -p /root/install && cd /root/install
ARCH=$(uname -m | sed 's/aarch64/arm64/')
curl -sSfL "$RELEASE/lattice-agent-${ARCH}.tar.gz" | tar xz
sudo mv lattice-agent /usr/local/bin/
sudo mkdir -p /etc/lattice /etc/systemd/system
sudo cp infra/systemd/lattice-agent.service /etc/systemd/system/
sudo install -m 0600 infra/systemd/lattice-agent.env /etc/lattice/agent.env
echo "LATTICE_AGENT_TOKEN=$AGENT_TOKEN" >> /etc/lattice/agent.env
sudo systemctl enable --now lattice-agent
END
done

step "tenant"
on lattice-01 << 'END'
node_is() { lattice nodes "$1" -o json | tr -d ' \n' | grep -q "\"state\":\"$2\""; }
for node in nid001234 nid001235; do eventually node_is $node ready; done
lattice nodes
lattice admin tenant create --name="physics" --max-nodes=100
lattice admin tenant list
lattice admin tenant update physics --max-nodes=200
END

step "work"
on lattice-01 << 'END'
useradd --create-home alice || true
job=$(lattice submit -q --tenant physics --nodes 2 --run-on every -- sh -c 'echo hello from $LATTICE_NODE_ID')
eventually lattice watch $job --until completed
lattice logs $job | sort > /tmp/output
cat /tmp/output
[ "$(cat /tmp/output)" = "hello from nid001234
hello from nid001235" ]
END

step "drain and undrain"
on lattice-01 << 'END'
node_is() { lattice nodes "$1" -o json | tr -d ' \n' | grep -q "\"state\":\"$2\""; }
job=$(lattice submit -q --tenant physics --nodes 2 --run-on every -- sh -c 'sleep 3; echo through')
lattice watch $job --until running
lattice admin drain nid001234 --reason="maintenance"
node_is nid001234 draining
lattice watch $job --until completed
eventually node_is nid001234 drained
lattice admin undrain nid001234
eventually node_is nid001234 ready
END

step "backup, verify"
on lattice-01 << 'END'
curl -X POST http://lattice-01:8080/api/v1/admin/backup
curl http://lattice-01:8080/api/v1/admin/backup/verify
lattice admin tenant create --name="later" --max-nodes=1
END

step "restore: one server takes the backup, the others begin empty and fetch it"
on lattice-01 << 'END'
backup=$(ls /var/lib/lattice/backups/backup-*.tar.gz)
# The others are alive, and are stopped below: their state is what force gives up.
curl -X POST http://lattice-01:8080/api/v1/admin/restore -d "{\"path\": \"$backup\", \"force\": true}"
END
for machine in lattice-02 lattice-03; do
  on "$machine" << 'END'
sudo systemctl stop lattice-server
rm -rf /var/lib/lattice/raft
END
done
on lattice-01 << 'END'
sudo systemctl restart lattice-server
END
for machine in lattice-02 lattice-03; do
  on "$machine" << 'END'
sudo systemctl start lattice-server
END
done
on lattice-01 << 'END'
node_is() { lattice nodes "$1" -o json | tr -d ' \n' | grep -q "\"state\":\"$2\""; }
for server in lattice-01 lattice-02 lattice-03; do eventually curl http://$server:8080/readyz; done
lattice admin tenant list > /tmp/tenants
grep -q physics /tmp/tenants
! grep -q later /tmp/tenants
for node in nid001234 nid001235; do eventually node_is $node ready; done
END

step "upgrade, one server after the other, then the agents; work goes on"
on lattice-01 << 'END'
lattice submit -q --tenant physics -- sh -c 'sleep 15; echo survived the upgrade' > /tmp/job
lattice watch $(cat /tmp/job) --until running
END
for machine in $SERVERS; do
  { echo "VERSION='$VERSION' HERE=$machine"; cat; } << 'END' | on "$machine"
cd /root/install
ARCH=$(uname -m | sed 's/aarch64/arm64/')
curl -sSfL "$UPGRADE/lattice-server-${ARCH}.tar.gz" | tar xz
sudo mv lattice-server /usr/local/bin/
sudo systemctl restart lattice-server
eventually curl http://$HERE:8080/readyz
[ "$(lattice-server --version)" = "lattice-server $VERSION" ]
END
done
for machine in $NODES; do
  { echo "VERSION='$VERSION'"; cat; } << 'END' | on "$machine"
cd /root/install
ARCH=$(uname -m | sed 's/aarch64/arm64/')
curl -sSfL "$UPGRADE/lattice-agent-${ARCH}.tar.gz" | tar xz
sudo mv lattice-agent /usr/local/bin/
sudo systemctl restart lattice-agent
[ "$(lattice-agent --version)" = "lattice-agent $VERSION" ]
END
done
on lattice-01 << 'END'
lattice watch $(cat /tmp/job) --until completed
lattice logs $(cat /tmp/job)
[ "$(lattice logs $(cat /tmp/job))" = "survived the upgrade" ]
lattice admin raft status
END
printf '\n=== done\n'
