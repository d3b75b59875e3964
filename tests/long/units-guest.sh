#!/bin/bash
# shellcheck disable=SC2317,SC2016
# Runs as root inside the guest, with the three tarballs and two packages beside it: installs them as docs/operations/install.md says, then
# starts, breaks and stops the units. Prints "OK what" or "FAILED what" for each thing that must hold.
cd /host || exit
ok() { if "${@:2}"; then echo "OK $1"; else echo "FAILED $1"; fi; }
# Until the command succeeds, for 90 s: programs run ten times slower than on the host.
until_() { local end; end=$((SECONDS + 90)); while [ "$SECONDS" -lt "$end" ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.5; done; return 1; }
show() { systemctl show --property="$2" --value "$1.service"; }
is() { [ "$(show "$1" "$2")" = "$3" ]; }
active() { is "$1" ActiveState active; }
other_pid() { active "$1" && [ "$(show "$1" MainPID)" != "$2" ]; }
serves() { lattice admin raft status; }
node_is() { lattice nodes | grep -qwi "$1"; }
as_alice() { runuser -u alice -- env HOME=/home/alice lattice "$@"; }
sleeper() { pgrep -u alice -x sleep; }

# --- install, as the guide says
for name in lattice-server lattice-agent lattice; do tar xzf "$name-x86_64.tar.gz"; done
mv lattice-server lattice-agent lattice /usr/local/bin/
systemd-sysusers "$PWD/infra/systemd/lattice.conf"
mkdir -p /etc/lattice
cp infra/systemd/lattice-server.service infra/systemd/lattice-agent.service /etc/systemd/system/
cp config/production.yaml /etc/lattice/config.yaml
sed 's|^LATTICE_QUORUM_ENDPOINT=.*|LATTICE_QUORUM_ENDPOINT=http://127.0.0.1:50051|' infra/systemd/lattice-agent.env > /etc/lattice/agent.env
useradd --create-home alice
# Seconds rather than a minute until systemd takes a silent process for dead.
for unit in lattice-server lattice-agent; do
  mkdir -p "/etc/systemd/system/$unit.service.d"
  printf '[Service]\nWatchdogSec=12\nTimeoutAbortSec=3\n' > "/etc/systemd/system/$unit.service.d/test.conf"
done
systemctl daemon-reload
ok "systemd takes the units as they are" [ -z "$(systemd-analyze verify lattice-server.service lattice-agent.service 2>&1 | grep -v DelegateSubgroup)" ]

# --- the first start of the first server, by hand
lattice-server --config /etc/lattice/config.yaml --bootstrap > /tmp/bootstrap.log 2>&1 &
first=$!
ok "the first start begins a cluster" until_ serves
kill -TERM $first; wait $first
ok "it ends well when told to" [ $? -eq 0 ]

# --- server
systemctl enable --now lattice-server
ok "the server says that it is ready" active lattice-server
ok "it says where it listens" [ "$(show lattice-server StatusText)" = "REST on port 8080, gRPC on port 50051" ]
ok "it serves what the first start began" until_ serves
ok "its directory belongs to it, also what root began" [ "$(stat -c %U /var/lib/lattice /var/lib/lattice/raft /var/lib/lattice/raft/log.db | sort -u)" = lattice ]
server=$(show lattice-server MainPID)
ok "it runs as its own user" [ "$(stat -c %U "/proc/$server")" = lattice ]
ok "it holds no capability" grep -q '^CapBnd:.*0000000000000000$' "/proc/$server/status"
sed -i 's/^  level: .*/  level: debug/' /etc/lattice/config.yaml
systemctl reload lattice-server
ok "it reads its configuration anew" until_ bash -c 'journalctl -q -u lattice-server | grep "read anew" | grep -q debug'
ok "and goes on" is lattice-server MainPID "$server"
systemd-analyze security lattice-server.service --no-pager | tail -1

# --- agent
systemctl enable --now lattice-agent
ok "the agent says that it is ready" active lattice-agent
ok "its node is ready" until_ node_is ready
number=$(as_alice submit -q -- sh -c 'echo one; sleep 600; echo two' 2>/tmp/submit.err || cat /tmp/submit.err)
ok "work of a user runs as that user" until_ sleeper
work=$(sleeper)
ok "in a control group of its own" grep -q "alloc-" "/proc/$work/cgroup"
agent=$(show lattice-agent MainPID)
systemctl restart lattice-agent
ok "the agent starts again" other_pid lattice-agent "$agent"
ok "its work lives on" [ "$(sleeper)" = "$work" ]
ok "its node is ready again" until_ node_is ready

# --- a process that hangs
agent=$(show lattice-agent MainPID); kill -STOP "$agent"
ok "systemd ends and restarts an agent that hangs" until_ other_pid lattice-agent "$agent"
ok "its work lives on through that" [ "$(sleeper)" = "$work" ]
server=$(show lattice-server MainPID); kill -STOP "$server"
ok "systemd ends and restarts a server that hangs" until_ other_pid lattice-server "$server"
ok "it serves again" until_ serves
ok "the agent finds it again" until_ node_is ready
server=$(show lattice-server MainPID); kill -KILL "$server"
ok "systemd restarts a server that was killed" until_ other_pid lattice-server "$server"
ok "the agent finds that one too" until_ node_is ready

# --- stop
systemctl stop lattice-agent
ok "an agent that is stopped leaves its work running" [ "$(sleeper)" = "$work" ]
systemctl start lattice-agent
ok "an agent that starts adopts it" until_ node_is ready
kill "$work"
ended() { as_alice status "$number" | grep -Eiq 'completed|failed'; }
ok "its end is known" until_ ended
ok "with its output" bash -c "runuser -u alice -- env HOME=/home/alice lattice logs $number | tr '\n' ' ' | grep -q 'one two'"
systemctl stop lattice-agent lattice-server
ok "both stop well" bash -c '[ "$(systemctl show -p Result --value lattice-agent.service lattice-server.service | grep -v "^$" | sort -u)" = success ]'
ok "the server ended by itself" is lattice-server ExecMainStatus 0
# A configuration that cannot be used is said once, not every five seconds.
echo 'nonsense: 1' >> /etc/lattice/config.yaml
systemctl start lattice-server 2>/dev/null
sleep 7
ok "a server with a wrong configuration is not started again and again" is lattice-server NRestarts 0
ok "and says what is wrong" bash -c 'journalctl -q -u lattice-server | grep -q nonsense'
# --- packages, on the data that is there
rm -rf /usr/local/bin/lattice-* /etc/systemd/system/lattice-* /etc/systemd/system/*.wants/lattice-* /etc/lattice
systemctl daemon-reload
systemctl reset-failed
dpkg --install lattice-server_*.deb lattice-agent_*.deb > /tmp/dpkg.log 2>&1
ok "the packages install" [ $? -eq 0 ]
ok "installing them starts nothing" is lattice-server ActiveState inactive
ok "secrets have a file that only root reads" [ "$(stat -c '%U %a' /etc/lattice/server.env)" = "root 600" ]
systemctl enable --now lattice-server 2>/dev/null
ok "the server of the package serves what is there" until_ serves
echo '# mine' >> /etc/lattice/config.yaml
server=$(show lattice-server MainPID)
dpkg --install lattice-server_*.deb >> /tmp/dpkg.log 2>&1
ok "an upgrade restarts a server that runs" until_ other_pid lattice-server "$server"
ok "and leaves the configuration alone" grep -q '^# mine' /etc/lattice/config.yaml
dpkg --remove lattice-server >> /tmp/dpkg.log 2>&1
ok "a package that is removed stops its server" is lattice-server ActiveState inactive
ok "and leaves data and configuration" [ -s /var/lib/lattice/raft/log.db -a -s /etc/lattice/config.yaml ]
sed 's/^/LOG /' /tmp/dpkg.log | grep -iE 'error|warn'
journalctl -q --no-pager -p warning -u lattice-server -u lattice-agent | tail -30 | sed 's/^/LOG /'
exit 0
