"""Export to TFLite and ONNX, with verification."""
