"""Videos, cameras and streams: read, worked on in stages, and written."""
