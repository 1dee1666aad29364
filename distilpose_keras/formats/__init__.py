"""Model files: .keras, .tflite and .onnx, opened, described and told apart."""
