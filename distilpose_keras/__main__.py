"""`python -m distilpose_keras` is `distilpose`."""

from distilpose_keras.commands.main import main

if __name__ == "__main__":
    main()
