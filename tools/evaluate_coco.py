"""`distilpose evaluate`: COCO AP of a model file."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("evaluate")
