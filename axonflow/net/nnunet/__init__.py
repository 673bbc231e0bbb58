"""nnU-Net's networks, run as nnU-Net itself would run them, on slides of any size."""
