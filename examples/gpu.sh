#!/bin/bash
#SBATCH --job-name=train
#SBATCH --nodes=2 --ntasks-per-node=4
#SBATCH --gres=gpu:4
#SBATCH --time=12:00:00 --requeue
#SBATCH --output=train-%j.out
#LATTICE run-on=every grace-period=120 tag=team=vision

# Starts on every node of the allocation; the nodes find each other through the environment.
set -eu

echo "node $SLURM_NODEID of $SLURM_JOB_NUM_NODES ($SLURM_JOB_NODELIST), attempt $LATTICE_ATTEMPT"
echo "the GPUs of this node: ${CUDA_VISIBLE_DEVICES:-none}"
