"""`distilpose benchmark`: speed of files, input, training or evaluation."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("benchmark")
