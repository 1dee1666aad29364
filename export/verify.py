"""`distilpose verify`: what exported files lose against the model they came from."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("verify")
