#!/bin/sh
#SBATCH --time=soon
echo hi
