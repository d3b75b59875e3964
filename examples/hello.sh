#!/bin/bash
#SBATCH --job-name=hello
#SBATCH --nodes=1
#SBATCH --time=00:05:00

# A batch script as Slurm users know it: Lattice runs it whole, as a file, on a node.
set -eu

greet() {
  printf 'Hello from job %s (%s) on %s, at %s.\n' \
    "$SLURM_JOB_ID" "$LATTICE_JOB_NAME" "$(uname -n)" "$(date +%H:%M:%S)"
}

greet
printf 'I run as %s in %s with %s CPU(s).\n' "$(id -un)" "$PWD" "$SLURM_CPUS_ON_NODE"

for step in 1 2 3; do
  echo "step $step of 3"
  sleep 0.2
done

echo "done"
