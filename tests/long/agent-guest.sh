#!/bin/bash
# Runs as root inside the guest: the limits, then an agent's restart under systemd while its workload runs.
cd /host
./guest-harness limits
cat > /etc/systemd/system/harness.service <<UNIT
[Service]
ExecStart=/host/guest-harness serve /var/lib/harness-unit
KillMode=process
StandardOutput=tty
TTYPath=/dev/ttyS0
UNIT
systemctl daemon-reload
systemctl start harness.service
for _ in $(seq 100); do [ -s /var/lib/harness-unit/workloads/*/stdout ] && break; sleep 0.2; done
systemctl kill --signal=KILL --kill-who=main harness.service
for _ in $(seq 100); do systemctl is-active -q harness.service || break; sleep 0.1; done
systemctl reset-failed harness.service
systemctl start harness.service
for _ in $(seq 400); do systemctl is-active -q harness.service || break; sleep 0.2; done
echo "unit: $(systemctl show -p Result --value harness.service)"
exit 0
