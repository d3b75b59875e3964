#!/bin/bash
#SBATCH --job-name=sweep
#SBATCH --array=0-7%4
#SBATCH --time=5:00

# One task for each index, four at a time. Each works on its own part of the input.
set -eu

part=$SLURM_ARRAY_TASK_ID
sum=0
for n in $(seq $((part * 1000 + 1)) $(((part + 1) * 1000))); do
  sum=$((sum + n))
done
echo "task $part of array $SLURM_ARRAY_JOB_ID: the sum of its thousand numbers is $sum"
