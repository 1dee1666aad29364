"""`distilpose export --format onnx`: a file that ONNX Runtime has run and checked."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("export", "--format", "onnx")
