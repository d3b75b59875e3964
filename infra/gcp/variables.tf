variable "project_id" {
  type        = string
  description = "Project that everything is made in."
}

variable "region" {
  type    = string
  default = "europe-west1"
}

variable "zone" {
  type    = string
  default = "europe-west1-b"
}

variable "prefix" {
  type        = string
  default     = "lattice-test"
  description = "Begins the name of everything that is made."
}

variable "machine_type" {
  type    = string
  default = "e2-standard-2"
}

variable "use_packer_image" {
  type        = bool
  default     = false
  description = "Compute nodes from the image of packer/, with podman and squashfs tools; else they install those as they boot."
}

variable "quorum_count" {
  type    = number
  default = 3
  validation {
    condition     = contains([1, 3, 5], var.quorum_count)
    error_message = "A quorum has 1, 3 or 5 members."
  }
}

variable "compute_count" {
  type    = number
  default = 2
}

variable "admin_cidr" {
  type        = string
  description = "Addresses that may reach SSH and the API, as 203.0.113.7/32."
  default     = "127.0.0.1/32"
}

variable "ssh_user" {
  type    = string
  default = "lattice-admin"
}

variable "ssh_public_key" {
  type        = string
  default     = ""
  description = "Key of that user; empty where OS Login or the project's keys do it."
}
