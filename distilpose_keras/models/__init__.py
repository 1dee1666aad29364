"""Models: backbones, token heads, named configurations, checkpoints."""
