"""`distilpose convert`: published PyTorch weights to a .keras file."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("convert")
