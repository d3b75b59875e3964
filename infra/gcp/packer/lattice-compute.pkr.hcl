# Image of a compute node: Debian with podman, squashfs tools and the accounts that work runs as.
#   packer build -var project_id=YOUR_PROJECT lattice-compute.pkr.hcl
variable "project_id" {
  type        = string
  description = "Project that the image belongs to."
}

variable "zone" {
  type    = string
  default = "europe-west1-b"
}

variable "source_image_family" {
  type    = string
  default = "debian-12"
}

source "googlecompute" "compute" {
  project_id          = var.project_id
  zone                = var.zone
  source_image_family = var.source_image_family
  machine_type        = "e2-standard-2"
  ssh_username        = "packer"
  image_name          = "lattice-compute-{{timestamp}}"
  image_family        = "lattice-compute"
  image_description   = "Compute node of a Lattice test cluster"
}

build {
  sources = ["source.googlecompute.compute"]

  provisioner "shell" {
    inline = [
      "sudo apt-get update",
      "sudo apt-get install -y --no-install-recommends podman crun uidmap squashfs-tools squashfuse fuse3 curl jq",
      "sudo useradd --create-home --shell /bin/bash lattice-test",
      "sudo apt-get clean",
    ]
  }
}
