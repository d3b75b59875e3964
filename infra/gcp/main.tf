# A test cluster: servers, compute nodes, a registry and VictoriaMetrics on a network of their own.
# It makes machines; scripts/deploy puts Lattice on them.
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
  zone    = var.zone
}

locals {
  debian  = "debian-cloud/debian-12"
  compute = var.use_packer_image ? "${var.project_id}/lattice-compute" : local.debian
  tools   = "apt-get update && apt-get install -y --no-install-recommends podman crun uidmap squashfs-tools squashfuse fuse3 curl"
  keys    = var.ssh_public_key == "" ? {} : { ssh-keys = "${var.ssh_user}:${var.ssh_public_key}" }
  nodes   = [for i in range(var.compute_count) : "x1000c0s0b0n${i}"]
}

resource "google_compute_network" "lattice" {
  name                    = var.prefix
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "lattice" {
  name          = var.prefix
  network       = google_compute_network.lattice.id
  ip_cidr_range = "10.0.0.0/24"
  region        = var.region
}

resource "google_compute_firewall" "inside" {
  name          = "${var.prefix}-inside"
  network       = google_compute_network.lattice.name
  source_ranges = [google_compute_subnetwork.lattice.ip_cidr_range]
  allow {
    protocol = "tcp"
  }
  allow {
    protocol = "icmp"
  }
}

resource "google_compute_firewall" "admin" {
  name          = "${var.prefix}-admin"
  network       = google_compute_network.lattice.name
  source_ranges = [var.admin_cidr]
  allow {
    protocol = "tcp"
    ports    = ["22", "8080", "50051"]
  }
}

resource "google_compute_instance" "quorum" {
  count        = var.quorum_count
  name         = "${var.prefix}-quorum-${count.index + 1}"
  machine_type = var.machine_type
  metadata     = local.keys
  boot_disk {
    initialize_params {
      image = local.debian
      type  = "pd-ssd"
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.lattice.id
    network_ip = "10.0.0.${10 + count.index}"
    access_config {}
  }
}

resource "google_compute_instance" "compute" {
  count                   = var.compute_count
  name                    = "${var.prefix}-compute-${count.index + 1}"
  machine_type            = var.machine_type
  metadata                = local.keys
  metadata_startup_script = var.use_packer_image ? null : local.tools
  boot_disk {
    initialize_params {
      image = local.compute
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.lattice.id
    network_ip = "10.0.0.${20 + count.index}"
    access_config {}
  }
}

resource "google_compute_instance" "registry" {
  name                    = "${var.prefix}-registry"
  machine_type            = "e2-small"
  metadata                = local.keys
  metadata_startup_script = "apt-get update && apt-get install -y docker-registry && systemctl enable --now docker-registry"
  boot_disk {
    initialize_params {
      image = local.debian
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.lattice.id
    network_ip = "10.0.0.30"
    access_config {}
  }
}

resource "google_compute_instance" "metrics" {
  name         = "${var.prefix}-metrics"
  machine_type = "e2-small"
  metadata     = local.keys
  metadata_startup_script = templatefile("${path.module}/metrics.sh.tftpl", {
    servers = [for i in range(var.quorum_count) : "10.0.0.${10 + i}:8080"]
    agents  = [for i in range(var.compute_count) : "10.0.0.${20 + i}:50052"]
  })
  boot_disk {
    initialize_params {
      image = local.debian
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.lattice.id
    network_ip = "10.0.0.31"
    access_config {}
  }
}
