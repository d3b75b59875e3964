output "quorum" {
  description = "Servers: the first argument of validate.sh, with http:// and :8080."
  value       = { for vm in google_compute_instance.quorum : vm.name => vm.network_interface[0].access_config[0].nat_ip }
}

output "quorum_peers" {
  description = "PEERS of install-quorum.sh."
  value       = join(",", [for i, vm in google_compute_instance.quorum : "${i + 1}=${vm.network_interface[0].network_ip}:9000"])
}

output "quorum_endpoint" {
  description = "QUORUM_ENDPOINT of install-compute.sh."
  value       = join(",", [for vm in google_compute_instance.quorum : "http://${vm.network_interface[0].network_ip}:50051"])
}

output "compute" {
  description = "Nodes by the name that install-compute.sh gives them."
  value       = { for i, vm in google_compute_instance.compute : local.nodes[i] => vm.network_interface[0].access_config[0].nat_ip }
}

output "registry" {
  value = "${google_compute_instance.registry.network_interface[0].network_ip}:5000"
}

output "victoriametrics" {
  value = "http://${google_compute_instance.metrics.network_interface[0].network_ip}:8428"
}
