"""What `make bench` runs: four workloads and a start, each beside its floor, on the real parts."""
