"""`distilpose fit-few`: full-size models fitted to a few people."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("fit_few")
