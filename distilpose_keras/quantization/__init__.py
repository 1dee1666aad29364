"""Quantization-aware distillation: students fine-tuned for integer arithmetic."""
