"""`distilpose export --format tflite`: a file that LiteRT has run and checked."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("export", "--format", "tflite")
