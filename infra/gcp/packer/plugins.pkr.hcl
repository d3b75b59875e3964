# Read by `packer init .`, once, before `packer build -var project_id=… lattice-compute.pkr.hcl`.
packer {
  required_plugins {
    googlecompute = {
      source  = "github.com/hashicorp/googlecompute"
      version = ">= 1.1.0"
    }
  }
}
