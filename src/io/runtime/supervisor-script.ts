/**
 * The supervisor of a workload: a POSIX shell script that outlives the agent. It waits for
 * the workload and writes how it ended; that is all it does. It runs as the agent's user,
 * with an environment of its own, outside the workload's control group.
 *
 * The first act is to create the claim file exclusively: an agent that restarts while the
 * supervisor has not got so far creates it itself, and then nothing is started.
 *
 * The workload runs in the foreground because a shell that waits so writes a message to
 * its standard error when the kernel says that a signal ended it, and none for an exit
 * code above 128. (It writes none for SIGINT and SIGPIPE: there the convention decides.)
 */

/** Arguments: folder, claim file, cgroup.procs file or "", paths of setsid and setpriv, uid, gid (or three times ""). */
export const SUPERVISOR_SCRIPT = `#!/bin/sh
folder=$1 claim=$2 procs=$3 setsid=$4 setpriv=$5 uid=$6 gid=$7
exec </dev/null >/dev/null 2>"$folder/verdict"
umask 022
describe() { rest=\${1##*) }; pid=\${1%% *}; set -- $rest; echo "$pid \${20}"; }
read -r stat </proc/$$/stat || exit 1
set -C
describe "$stat" >"$folder/$claim" || exit 1
set +C
(
  exec >>"$folder/stdout" 2>>"$folder/stderr" 3>>"$folder/launch-error"
  if [ -n "$procs" ] && ! echo 0 >"$procs"; then
    echo "the control group $procs does not take the workload" >&3
    exit 125
  fi
  read -r stat </proc/self/stat
  describe "$stat" >"$folder/child"
  cd /
  # An agent that the kernel spares when memory is short must not pass that on.
  [ -w /proc/self/oom_score_adj ] && echo 0 >/proc/self/oom_score_adj
  ulimit -S -c 0 2>/dev/null
  ulimit -S -n 65536 2>/dev/null
  ulimit -l unlimited 2>/dev/null
  if [ -n "$uid" ]; then
    exec "$setsid" "$setpriv" --reuid "$uid" --regid "$gid" --init-groups --inh-caps=-all /bin/sh "$folder/launch.sh"
  fi
  exec "$setsid" /bin/sh "$folder/launch.sh"
)
status=$?
until echo "$status" >"$folder/exit" || [ ! -d "$folder" ]; do : >"$folder/reserve"; sleep 1; done
`;
