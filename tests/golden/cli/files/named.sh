#!/bin/sh
#SBATCH -J named -A physics -D sub
#SBATCH --mail-type=END
echo hi
