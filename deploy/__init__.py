"""What it takes to run Preceptor somewhere: on one machine, in images, on a cluster."""
