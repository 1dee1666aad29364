"""Data sets as tar files in WebDataset's layout, for disks that are far away."""
