"""`distilpose profile`: parameters and multiply-accumulates."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("profile")
