"""Fill the documentation's figures from the file that they were measured into."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("figures")
