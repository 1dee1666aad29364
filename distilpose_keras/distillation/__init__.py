"""Distillation: losses and the Distiller."""
