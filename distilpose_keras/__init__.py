"""DistilPose in Keras 3."""
