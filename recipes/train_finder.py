"""`distilpose train-finder`: the person finder, trained on photographs."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("train_finder")
